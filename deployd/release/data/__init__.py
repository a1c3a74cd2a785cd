"""What of an environment outlives its versions: volumes, mounts, databases, and their copies."""
