"""The command line: one file for each noun, over `client.py`.

Imports nothing, so that `deployd check` starts fast.
"""
