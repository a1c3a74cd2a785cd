"""One file for each family of services: container, credentials, provisioning, health.

Imports nothing, so that `deployd check` starts fast.
"""
