"""What keeps the world as it should be.

Imports nothing, so that `deployd check` starts fast.
"""
