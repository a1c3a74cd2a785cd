"""Reading what strangers wrote, in processes that can be killed.

Imports nothing: a reader must start with nothing in it that it does not need.
"""
