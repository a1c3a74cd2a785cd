"""What can be asked over HTTP, a file for each noun: each row of the table beside its handler.

Imports nothing.
"""
