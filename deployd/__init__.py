"""deployd: a git push becomes a running environment."""

__version__ = "0.1.0"
