"""Mails of applications: taken at the gateway of each environment's network, kept in a box, or handed to a relay.

`postman` is a process of its own that speaks with containers and relays; `office` is how the daemon sees it."""
