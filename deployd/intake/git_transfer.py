"""One conversation of git with a client, whatever it comes over, and why there may be none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from deployd.access.caller import Caller
from deployd.intake.push import GIT
from deployd.settings import ProjectSettings


class Service(Enum):
    """What git asks for, by the name that its protocol has for it."""

    FETCH = "git-upload-pack"
    PUSH = "git-receive-pack"


class GitRefused(Exception):
    """Git is not served; the text is what its user reads."""


class NoSuchProject(GitRefused):
    """There is none for this caller."""


class MayNotPush(GitRefused):
    """The caller's role does not push."""


class NoRoom(GitRefused):
    """A push could not be stored, or the repository has all that it may have."""


class Client(Protocol):
    """The two pipes to whoever fetches or pushes."""

    async def read(self) -> bytes:
        """What comes next; empty at the end, and when the client left or fell silent in the middle."""
        ...

    async def write(self, chunk: bytes) -> bool:
        """Whether the client is still there to read it."""
        ...


@dataclass(frozen=True, slots=True)
class Transfer:
    """One run of git for somebody."""

    project: ProjectSettings
    caller: Caller
    service: Service
    arguments: tuple[str, ...] = ()
    """Of git's program; without any it says all that there is in one conversation."""
    protocol: str = ""
    """What the client says of the protocol's version, for `GIT_PROTOCOL`."""
    only_refs: bool = False
    """It is over when the branches and tags are listed."""
    address: str = ""
    """Where it comes from."""
    by: str = GIT
    """How its caller proved who they are, for the audit log."""
    session: str = ""
    """By which a push is known to whoever shows its log himself (`push_sessions.py`); empty: its hook shows it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How git's program ended."""

    status: int
    there: bool
    """Whether the client was there to the end."""
