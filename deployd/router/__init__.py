"""The entry point: routes, freezes and the control client of nginx.

Imports nothing, so that `deployd check` starts fast.
"""
