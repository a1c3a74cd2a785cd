"""What containers print: read from Docker's own files while somebody asks, and kept when a container goes.

Nobody asks, nothing is done. It parses no more of Docker's files than their lines, and never writes into them."""
