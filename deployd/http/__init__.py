"""What everything that speaks HTTP shares: who is let in, what outlasts a reload, and how errors are told.

Imports nothing, so that `deployd check` starts fast.
"""
