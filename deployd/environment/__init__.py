"""What an environment is: its name, hosts, variables, relationships and PLATFORM_* values.

Imports nothing, so that `deployd check` starts fast.
"""
