"""The built application as one read-only file: its key, its archive, its mount.

Imports nothing, so that `deployd check` starts fast.
"""
