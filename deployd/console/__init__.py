"""The console: pages for people, made on the server from the same queries as the API. They only show; nothing changes.

Imports nothing, so that `deployd check` starts fast.
"""
