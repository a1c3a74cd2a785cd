"""What a build does by itself for a kind of application.

Imports nothing, so that `deployd check` starts fast.
"""
