"""What a forge is: how its deliveries are proved and read. One file for each, and a row in `known.py`. Pure."""
