"""Into an environment: which container somebody over SSH comes into, what runs for them there, and what they reach.

The daemon's side: it decides, starts and notes; the bytes go past it (`ssh/environments.py`)."""
