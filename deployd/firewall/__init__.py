"""The wall around the containers of environments: what of the host and of private networks they reach.

Rules as text, and one table of nftables of our own into which they are put at once."""
