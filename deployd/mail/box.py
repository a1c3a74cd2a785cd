"""The box of one environment on the disk, as the mail server keeps it: a message and a note for each mail, in bounds.

    <project>/<environment>/17.eml      the message, byte for byte
                            17.json     its note (`mail.py`)

All of it below the folder in which the mail server stands, and only it writes there. Of each mail only its number, age,
size and state are in memory; there may be a thousand environments with some hundred mails each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from deployd.mail.mail import KEPT, WAITS, Mail, parse_note, write_note

MOST_MAILS = 1_000
"""In one box, and as many that wait."""
DRAFT = ".draft-"


@dataclass(frozen=True, slots=True)
class Kept:
    at: float
    size_bytes: int
    waits: bool
    again_at: float


class BoxFull(Exception):
    """So much waits for the relay that no more is taken."""


class Box:
    """The box of one environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[int, Kept] = {}
        """By number, so the oldest first."""
        self._drafts = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in os.listdir(folder):
            if name.startswith(DRAFT):   # of a server that was killed
                (folder / name).unlink()
        notes = (parse_note(file.read_bytes()) for file in folder.glob("*.json"))
        for mail in sorted((note for note in notes if note), key=lambda note: note.id):
            self._remember(mail)
        self._next = max(self._kept, default=0) + 1

    def refuse_waiting(self, most_bytes: int) -> None:
        """
        Raises:
            BoxFull: So much waits already.
        """
        waiting = [kept.size_bytes for kept in self._kept.values() if kept.waits]
        if len(waiting) >= MOST_MAILS or sum(waiting) >= most_bytes:
            raise BoxFull

    def draft(self) -> Path:
        """Where a message is written that is just coming."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)   # `forget_strays` may have met it while it was new
        self._drafts += 1
        return self.folder / f"{DRAFT}{self._drafts}"

    def add(self, draft: Path, mail: Mail, most_bytes: int) -> Mail:
        """Keep a message that is here whole; the oldest of those that only lie there go for it."""
        mail = replace(mail, id=self._next)
        self._next += 1
        os.replace(draft, self._message(mail.id))   # first: a message without a note is nothing
        self.write(mail)
        self._shorten(most_bytes)
        return mail

    def _shorten(self, most_bytes: int) -> None:
        lying = {number: kept for number, kept in self._kept.items() if not kept.waits}
        size, left = sum(kept.size_bytes for kept in lying.values()), len(lying)
        for number, kept in lying.items():
            if (size <= most_bytes and left <= MOST_MAILS) or left == 1:
                break
            self.remove(number)
            size, left = size - kept.size_bytes, left - 1

    def write(self, mail: Mail) -> None:
        """Have this note beside its message."""
        new = self.folder / f"{DRAFT}note"
        new.write_bytes(write_note(mail))
        os.replace(new, self._note(mail.id))
        self._remember(mail)

    def remove(self, number: int) -> None:
        self._kept.pop(number, None)
        for file in (self._message(number), self._note(number)):   # a message without a note would lie there for ever
            file.unlink(missing_ok=True)

    def read(self, number: int) -> Mail | None:
        """None: there is none.

        Raises:
            OSError: It cannot be read now.
        """
        with suppress(FileNotFoundError):
            return parse_note(self._note(number).read_bytes())
        return None

    def message(self, number: int) -> bytes | None:
        """None: there is none.

        Raises:
            OSError: It cannot be read now.
        """
        with suppress(FileNotFoundError):
            return self._message(number).read_bytes()
        return None

    def make_durable(self, number: int) -> None:
        """Have a note, and that it and its message are there, outlive a power cut. Blocking."""
        with suppress(FileNotFoundError):   # it was taken away for others meanwhile
            for outbox in (self._note(number), self.folder):
                handle = os.open(outbox, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def next_waiting(self) -> tuple[int, float] | None:
        """(number, when it is due) of the one that is due first."""
        waiting = [(kept.again_at, number) for number, kept in self._kept.items() if kept.waits]
        return (min(waiting)[1], min(waiting)[0]) if waiting else None

    @property
    def waiting(self) -> int:
        return sum(kept.waits for kept in self._kept.values())

    def keep_all(self) -> None:
        """There is no relay any more: what waits lies in the box."""
        for number in [number for number, kept in self._kept.items() if kept.waits]:
            if mail := self.read(number):
                self.write(replace(mail, state=KEPT, why="there is no relay any more", again_at=0.0))

    def forget_older(self, seconds: float) -> None:
        """Take away what has lain there for so long."""
        oldest = time.time() - seconds
        for number in [number for number, kept in self._kept.items() if not kept.waits and kept.at < oldest]:
            self.remove(number)

    def _remember(self, mail: Mail) -> None:
        self._kept[mail.id] = Kept(mail.at, mail.size_bytes, mail.state == WAITS, mail.again_at)

    def _note(self, number: int) -> Path:
        return self.folder / f"{number}.json"

    def _message(self, number: int) -> Path:
        return self.folder / f"{number}.eml"


def forget_strays(root: Path, known: Set[str], seconds: float) -> None:
    """Take away what is old of environments that are gone.

    Args:
        known: `project/environment` of those that are there.
    """
    for folder in root.glob("*/*"):
        if str(folder.relative_to(root)) in known:
            continue
        with suppress(OSError):
            for file in folder.iterdir():
                if file.lstat().st_mtime < time.time() - seconds:
                    file.unlink()
            folder.rmdir()   # only when it is empty
