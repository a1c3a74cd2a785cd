"""One application: what its file says, part by part."""
