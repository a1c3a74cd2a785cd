"""Single values and how they are checked: numbers, durations, patterns, types, keys."""
