"""How a push arrives: one file for each forge, and git over HTTP.

Imports nothing, so that `deployd check` starts fast.
"""
