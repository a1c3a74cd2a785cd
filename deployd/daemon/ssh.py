"""SSH as the settings want it: its host key, what `deployd-ssh` may ask, and who has it run."""

from __future__ import annotations

import asyncio
import os

from deployd.access.directory import Directory
from deployd.daemon.composition import Daemon
from deployd.inside.sessions import Sessions
from deployd.intake.git_service import GitService
from deployd.intake.ssh_git import SshGit
from deployd.intake.ssh_people import SshPeople
from deployd.settings import Settings
from deployd.ssh.host_key import HostKey, ensure_host_key
from deployd.ssh.link_server import Handler
from deployd.ssh.places import HOST_KEYS, link_folder
from deployd.ssh.supervisor import SshSupervisor


async def host_key_of(settings: Settings) -> HostKey | None:
    """None: nobody listens for SSH.

    Raises:
        HostKeyUnusable: It cannot be had.
    """
    if settings.ssh.listen is None:
        return None
    return await asyncio.to_thread(ensure_host_key, settings.state / HOST_KEYS)


def ssh_handlers(daemon: Daemon, directory: Directory, git: GitService, inside: Sessions) -> dict[str, Handler]:
    """{verb: who answers}: what `deployd-ssh` may ask."""
    door = daemon.process.ssh
    people = SshPeople(directory, door.seen, door.failed, daemon.resources.clock)
    served = SshGit(daemon.activities.intake, git, people.caller_of)
    return {**people.handlers(), **served.handlers(), **inside.handlers()}


def ssh_supervisor(daemon: Daemon) -> SshSupervisor:
    """Has `deployd-ssh` run, when systemd does not."""
    settings, door = daemon.settings, daemon.process.ssh
    supervisor = SshSupervisor(
        link_folder(settings.run), lambda: door.link.is_connected,
        wanted=settings.ssh.listen is not None, by_systemd="NOTIFY_SOCKET" in os.environ,
    )
    door.troubles_of_process = supervisor.troubles
    return supervisor
