"""What runs containers: what to create, what it is called, and a protocol of the calls that do it.

Imports nothing, so that `deployd check` starts fast.
"""
