"""SSH: the process `deployd-ssh`, which speaks it with strangers, and the link over which it asks the daemon.

The process has no rights of its own; see `link.py` for how it comes to what a session needs."""
