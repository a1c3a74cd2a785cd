"""What a push does: the table of its steps, and one file for each phase.

Imports nothing, so that `deployd check` starts fast.
"""
