"""The command line: one file for each noun, over the client.

Imports nothing, so that `deployd check` starts fast.
"""
