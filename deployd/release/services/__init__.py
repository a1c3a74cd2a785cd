"""The containers of services, their secrets, and what is set up in them."""
