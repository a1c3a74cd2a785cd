"""Whether a release answers: asked of the kernel, of its containers, and over its own routes."""
