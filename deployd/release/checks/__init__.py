"""Whether a release is as good as the one before: smoke tests, and what its visitors get."""
