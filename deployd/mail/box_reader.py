"""Boxes as the daemon reads them. The mail server owns them and meets strangers: nothing is followed or believed."""

from __future__ import annotations

import os
from pathlib import Path

from deployd.confined.beneath import NotBeneath, open_folder, read_file
from deployd.mail.box import MOST_MAILS
from deployd.mail.mail import Mail, parse_note

FOLDER = "mail"
"""Below `state`."""
NOTE_BYTES = 100_000
LARGEST_MESSAGE_BYTES = 1_000_000_000


def read_box(state: Path, project: str, environment: str) -> list[Mail]:
    """The mails of an environment, newest first. Blocking."""
    try:
        with open_folder(state, f"{FOLDER}/{project}/{environment}") as folder:
            names = [name for name in os.listdir(folder) if name.endswith(".json")][:3 * MOST_MAILS]
            notes = [parse_note(read_file(folder, name, NOTE_BYTES) or b"") for name in names]
    except (OSError, NotBeneath):
        return []
    return sorted((note for note in notes if note), key=lambda note: note.id, reverse=True)


def read_message(state: Path, project: str, environment: str, number: int) -> bytes | None:
    """A message byte for byte; None: there is none. Blocking."""
    try:
        with open_folder(state, f"{FOLDER}/{project}/{environment}") as folder:
            return read_file(folder, f"{number}.eml", LARGEST_MESSAGE_BYTES)
    except (OSError, NotBeneath):
        return None
