"""The console: pages for people, made on the server from what the API reads. They only show; nothing is changed here.

Imports nothing, so that `deployd check` starts fast.
"""
