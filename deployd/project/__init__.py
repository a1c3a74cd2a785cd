"""What a repository says: bytes in, ProjectConfig or all its errors out.

Imports nothing, so that `deployd check` starts fast.
"""
