"""What changes an environment: the kinds of activities, the table of steps of each, and one file for each phase.

Imports nothing, so that `deployd check` starts fast.
"""
