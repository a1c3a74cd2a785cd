"""The router's process: its container, its files, its start, and the hand-over to the next one."""
