"""What may become live in a protected environment, and what stands in the way: facts in, a verdict out. Pure.

Imports nothing, so that `deployd check` starts fast.
"""
