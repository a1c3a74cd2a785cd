"""One session over SSH: who asks, what for, and who does it; refusals become sentences on stderr with a status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from deployd.ssh.link import LinkLost
from deployd.ssh.names import GitCommand, plain, read_git, read_user
from deployd.ssh.ports import Channel, EnvironmentSessions, Refused, Who

log = structlog.get_logger()

NOT_THERE = Refused(
    "deployd is not running, or is being restarted: nothing was done", hint="try again in a moment",
)
ENDED_UNEXPECTEDLY = 255
SUBSYSTEMS = ("sftp",)
Git = Callable[[Who, GitCommand, Channel], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Gives each session to whoever serves it."""

    git: Git
    environments: EnvironmentSessions

    async def serve(self, who: Who, user: str, channel: Channel) -> None:
        """Serve one session to its end, and exit with its status."""
        try:
            status = await self._serve(who, user, channel)
        except Refused as error:
            status = error.status
            tell(channel, error)
        except LinkLost:
            status = NOT_THERE.status
            tell(channel, NOT_THERE)
        except OSError:   # the client has gone
            status = ENDED_UNEXPECTEDLY
        except Exception:   # ours; the connection goes on
            log.exception("ssh_session_failed", user=user)
            status = ENDED_UNEXPECTEDLY
            tell(channel, Refused("this met a bug in deployd: its log has it"))
        channel.exit(status)

    async def _serve(self, who: Who, user: str, channel: Channel) -> int:
        target = read_user(user)
        command, subsystem = channel.command, channel.subsystem
        if target is None:
            if subsystem:
                raise Refused(f"`git` has no subsystem {subsystem[:40]!r}: git is all that it does")
            if command is None:
                raise Refused(
                    f"hello {who.name}: your key is known, and `git` has no shell",
                    hint="git clone, fetch and push do it; a shell is in an environment: ssh main.shop@…",
                )
            return await self.git(who, read_git(command), channel)
        if subsystem is not None:
            if subsystem not in SUBSYSTEMS:
                raise Refused(f"there is no subsystem {subsystem[:40]!r} here", hint="there is sftp")
            return await self.environments.subsystem(who, target, subsystem, channel)
        if command is not None:
            return await self.environments.execute(who, target, command, channel)
        return await self.environments.shell(who, target, channel)


def tell(channel: Channel, error: Refused) -> None:
    """An error on stderr."""
    ending = "\r\n" if channel.term_type else "\n"   # a terminal of the client's is raw
    text = "".join(f"deployd: {plain(line)}{ending}" for line in error.lines())
    if not channel.is_closing():
        channel.stderr.write(text.encode(errors="replace"))

