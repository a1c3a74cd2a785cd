"""Where `deployd-ssh` and the daemon meet. Pure."""

from __future__ import annotations

from pathlib import Path

SSH_UID = 2_000_000_101
"""Nobody's, as the mail server's (`mail/supervisor.py`)."""
FOLDER = "ssh"
"""In the run folder: root's, and the process may go into it and write nothing."""
SOCKET, LOCK, LAST_WORDS = "link.sock", "lock", "last-words"
HOST_KEYS = "ssh"
"""In the state folder."""


def link_folder(run: Path) -> Path:
    return run / FOLDER
