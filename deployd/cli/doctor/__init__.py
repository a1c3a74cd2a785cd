"""`deployd doctor`: a look at the host, with or without a daemon. One file for each part of it.

Imports nothing, so that `deployd check` starts fast.
"""
