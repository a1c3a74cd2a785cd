"""Certificates of the hosts that visitors come to: asked for, kept, renewed, and laid where the router reads them.

    routes of what is live ─► keeper ─► authority (ACME, or one of our own) ─► shelf (state) ─► window (run) ─► nginx

The router reads them at the handshake, for the name that the client says, so nothing is reloaded; and it goes on with
them while the daemon is away.
"""
