"""deployd: a git push becomes a running environment."""
