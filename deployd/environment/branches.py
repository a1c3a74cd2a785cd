"""Which branches become environments, and what branches and tags may be called. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from deployd.environment.naming import machine_name
from deployd.ids import OBJECT_ID

OF_MACHINES = ("gh-readonly-queue/*", "dependabot/*", "renovate/*")
"""Branches of merge queues and of bots: each would be an environment that nobody asked for."""


def is_of_a_machine(branch: str) -> bool:
    """Whether a branch of a forge was made by the forge or a bot, and not by a person. These are not deployed."""
    return any(fnmatchcase(branch, pattern) for pattern in OF_MACHINES)


LONGEST_NAME_BYTES = 200   # git keeps a ref in a file of that name, and a lock beside it: 255 bytes at most
OF_GIT_ITSELF = re.compile(r"@|HEAD|[A-Z_]+_HEAD|refs(/.*)?")


def oddity(name: str) -> str | None:
    """What is odd about the name of a branch or tag, as the end of a sentence; None: it is a good name.

    Git takes more names than are good: with a tag `refs/heads/main`, or a branch that is called like a commit, a person
    and a program may mean different things by the same word.
    """
    if not name:
        return "has no name"
    if not name.isprintable():   # also what is not UTF-8, and letters that turn the direction of a line
        return "has letters that cannot be shown"
    if len(name.encode()) > LONGEST_NAME_BYTES:
        return f"has a name of {len(name.encode())} bytes, and {LONGEST_NAME_BYTES} are enough"
    if name.startswith("-"):
        return "begins with a dash, as options of programs do"
    if OF_GIT_ITSELF.fullmatch(name):
        return "has a name that git uses itself"
    if OBJECT_ID.fullmatch(name):
        return "is called like a commit's id"
    return None


def namesake(branch: str, others: Iterable[str]) -> str | None:
    """Another branch whose environment would have the same name: 35 bits of a hash tell them apart, which somebody who
    wants to can make equal."""
    name = machine_name(branch)
    return next((other for other in others if other != branch and machine_name(other) == name), None)
