"""The mirror: fetch, read a tree, make a workspace.

Imports nothing, so that `deployd check` starts fast.
"""
