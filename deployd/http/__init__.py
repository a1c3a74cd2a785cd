"""What everything that speaks HTTP shares: who is let in, how much of it at once, and how errors are told.

Imports nothing, so that `deployd check` starts fast.
"""
