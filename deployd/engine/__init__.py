"""Docker behind one small class: what to create, what it is called, and the calls that do it.

Imports nothing, so that `deployd check` starts fast.
"""
