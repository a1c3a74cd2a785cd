"""Mails of applications: taken at the gateway of each environment's network, kept in a box, or handed to a relay.

`server.py` is a process of its own that speaks with containers (`smtp.py`) and relays (`delivery.py`, `relay.py`);
`supervisor.py` is how the daemon sees it.
"""
