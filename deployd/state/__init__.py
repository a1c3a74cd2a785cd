"""What must last: one SQLite file, one writer, numbered migrations.

Imports nothing, so that `deployd check` starts fast.
"""
