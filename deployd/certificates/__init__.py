"""Certificates of the hosts that visitors come to: asked for, kept, renewed, and laid where the router reads them.

    routes of what is live ─► manager ─► authority (ACME, or our own) ─► store (state) ─► router's folder (run) ─► nginx

The router reads them at the handshake, for the name that the client says, so nothing is reloaded; and it goes on with
them while the daemon is away.
"""
