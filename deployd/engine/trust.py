"""Whom this host trusts over TLS."""

from __future__ import annotations

from pathlib import Path

STORE = Path("/etc/ssl/certs/ca-certificates.crt")
"""Of the host, and where Debian's programs look for it in a container."""
