"""Who asks, and what they may do: callers, roles, actions, tokens."""
