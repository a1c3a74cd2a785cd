"""The files of a commit: which there are, how large they may be, what they include."""
