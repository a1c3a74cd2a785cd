"""Who asks, what they may do and how much of it at once: callers, roles, actions, tokens, limits."""
