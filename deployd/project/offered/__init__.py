"""What the hosted platforms ever offered: runtimes, services, extensions, time zones."""
