"""The Docker Engine: the one implementation there is of what `engine` asks for."""
