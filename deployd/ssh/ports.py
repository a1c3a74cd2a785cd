"""What a session over SSH is made of: who asks, for which environment, the daemon's word, and who serves it.

The seam between what speaks SSH (`server.py`, `dispatch.py`) and what it leads to: git (`git_sessions.py`), and
whatever is an `EnvironmentSessions`.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from asyncssh import SSHServerProcess

from deployd.errors import DeployError
from deployd.ssh.link import Values

Channel = SSHServerProcess[bytes]
"""A session's pipes in bytes, `env`, `term_type`, `term_size`; `stdin.read` raises TerminalSizeChanged, SignalReceived,
BreakReceived and returns b"" at a half-close. Whoever serves it writes and returns a status; `dispatch.py` exits with
that."""


class Refused(DeployError):
    """What is asked for over SSH is not done. Its lines go to stderr, its status is the session's."""

    code = "ssh-refused"
    status: int = 1


class DaemonGone(Refused):
    """The daemon does not answer now."""

    code = "ssh-daemon-gone"


@dataclass(frozen=True, slots=True)
class Target:
    """The environment that a user name means: `main.shop`, `main.shop--queue`."""

    environment: str
    """As it was written: a branch's name as hosts have it, or an environment's machine name; the daemon finds it."""
    project: str
    worker: str = ""
    """Name of a worker or of an application; empty: the only application, or the one that people mean."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a connection belongs to, decided when its authentication had completed. Pass `values()` with whatever is
    asked: the daemon looks at the key again each time, so one that was removed does nothing more."""

    key: bytes
    """The public key that signed, as in `authorized_keys` before base64."""
    address: str
    """Where the connection comes from."""
    name: str
    """The person's, for texts."""
    connection: str
    """A random word for this connection; the audit log has it at begin and end."""

    def values(self) -> Values:
        return {"key": self.key.hex(), "address": self.address, "connection": self.connection}


class Conversation(Protocol):
    """A question that the daemon has answered, and what is said about it afterwards."""

    answer: Mapping[str, object]
    sockets: tuple[socket.socket, ...]
    """That came with the answer; whoever asked closes them."""

    async def note(self) -> Values | None:
        """What the daemon says next; None when it has said its last (`end`).

        Raises:
            LinkLost: The daemon went in between.
        """
        ...

    @property
    def end(self) -> Values:
        """What the daemon said last, once `note` gave None."""
        ...

    async def tell(self, **values: object) -> None:
        """Say something to whoever answers. A link that was lost is no error here."""
        ...

    def leave(self) -> None:
        """Nothing more is wanted. May be called again, and must be called at the end."""
        ...


class Daemon(Protocol):
    """The daemon, as this process sees it: there, or on its way back."""

    async def ask(self, verb: str, **values: object) -> Conversation:
        """Ask the daemon; its handlers are registered by verb (`link_server.py`).

        Raises:
            Refused: It does not do that, and says why.
            LinkLost: It is not there, or went before it answered.
        """
        ...

    async def until_there(self, limit_seconds: float) -> bool:
        """Wait for a daemon that is being restarted. Whether it came."""
        ...


class EnvironmentSessions(Protocol):
    """Whatever leads into an environment. All may raise Refused and LinkLost, which are told on stderr with a status.

    Each is run as a task of its own, and cancelled when the client leaves or its connection ends: `finally` tidies up.
    """

    async def shell(self, who: Who, target: Target, channel: Channel) -> int:
        """A login shell, with a terminal when `channel.term_type` is set. The exit status; 128 + n: signal n."""
        ...

    async def execute(self, who: Who, target: Target, command: str, channel: Channel) -> int:
        """One command line, for the container's shell; `scp -t`, `rsync --server` are such ones."""
        ...

    async def subsystem(self, who: Who, target: Target, name: str, channel: Channel) -> int:
        """`sftp`, and no other: others are refused before."""
        ...

    async def tunnel(self, who: Who, target: Target, host: str, port: int) -> socket.socket:
        """A connected socket to a relationship of the environment; the caller closes it."""
        ...


class NoEnvironmentSessions:
    """Where nothing leads into environments."""

    async def shell(self, who: Who, target: Target, channel: Channel) -> int:
        raise _NOWHERE

    async def execute(self, who: Who, target: Target, command: str, channel: Channel) -> int:
        raise _NOWHERE

    async def subsystem(self, who: Who, target: Target, name: str, channel: Channel) -> int:
        raise _NOWHERE

    async def tunnel(self, who: Who, target: Target, host: str, port: int) -> socket.socket:
        raise _NOWHERE


_NOWHERE = Refused("there are no sessions in environments here", hint="the user name for git is `git`")
