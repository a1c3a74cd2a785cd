"""How anything durable runs: tables of steps, the machine that reads them, lanes, the activity log.

Imports nothing, so that `deployd check` starts fast.
"""
