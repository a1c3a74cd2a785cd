"""The containers of applications and workers: what they are made of, how they start, their hooks and crons."""
