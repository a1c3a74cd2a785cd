"""The HTTP face: status, health, and the API that the command line uses.

Imports nothing, so that `deployd check` starts fast.
"""
