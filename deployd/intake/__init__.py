"""How a push arrives: git over HTTP, webhooks of forges, and the queue.

Imports nothing, so that `deployd check` starts fast.
"""
