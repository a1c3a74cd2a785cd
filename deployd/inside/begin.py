"""Beginning what somebody wants in a container: which command, with which variables; a paused one is waited for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from deployd.engine.engine import RunningCommand
from deployd.engine.errors import EngineRefused, NotRunning, NotThere, StandsStill
from deployd.engine.specs import RunAs
from deployd.environment.platform import APP_FOLDER
from deployd.inside import command_lines
from deployd.inside.asked import Wanted
from deployd.inside.programs import Programs
from deployd.inside.sql import client_of, read_sql
from deployd.inside.targets import Entrance, NotOpen
from deployd.release.applications.instances import related
from deployd.release.applications.needed import scripts_of
from deployd.release.ports import Host

Prepared = tuple[tuple[str, ...], dict[str, str]]
"""(what to run, its variables beside the container's)"""
STILL_SECONDS, LOOK_SECONDS = 60.0, 0.25
"""How long a container that stands still is waited for."""


@dataclass(frozen=True, slots=True)
class Beginning:
    host: Host
    programs: Programs

    async def begin(self, entrance: Entrance, wanted: Wanted, prepared: Prepared) -> RunningCommand:
        """
        Raises:
            NotOpen: The container does not run, or stands still for too long.
        """
        argv, environment = prepared
        run_as = RunAs(entrance.release.user, environment, APP_FOLDER)
        try:
            async with asyncio.timeout(STILL_SECONDS):
                while True:
                    with suppress(StandsStill):
                        return await self.host.engine.start_command(
                            entrance.container, argv, run_as, terminal=wanted.terminal)
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise NotOpen(
                f"the container of {entrance.said} stands still, and did not go on within {STILL_SECONDS:.0f} s",
                hint="while data are copied it does so for some seconds; somebody may have paused it: docker unpause",
            ) from None
        except (NotThere, NotRunning):
            raise await self._not_running(entrance) from None
        except EngineRefused:
            seen = await self.host.engine.container(entrance.container)
            if seen is not None and seen.running and not seen.restarts:
                raise
            raise await self._not_running(entrance) from None

    async def prepare(self, entrance: Entrance, wanted: Wanted) -> Prepared:
        """
        Raises:
            NoClient, ProgramsMissing: It cannot be done here.
        """
        if wanted.kind == "sftp":
            await self._lay_out(entrance, "sftp-server")
            return command_lines.SFTP, wanted.variables
        if wanted.kind == "shell":
            return command_lines.shell(on_terminal=wanted.terminal is not None), wanted.variables
        if (asked := read_sql(wanted.command)) is not None:
            there = await related(entrance.release, self.host, entrance.config, entrance.instance.relationships)
            client = client_of(asked, there)
            return client.argv, {**wanted.variables, **client.environment}
        if wanted.command.startswith("rsync ") and command_lines.is_transfer(wanted.command):
            await self._lay_out(entrance, "rsync")
        return command_lines.command(wanted.command), wanted.variables

    async def _lay_out(self, entrance: Entrance, program: str) -> None:
        await self.programs.lay_out(scripts_of(entrance.release, self.host, entrance.part), program)

    async def _not_running(self, entrance: Entrance) -> NotOpen:
        lines = await self.host.engine.last_lines(entrance.container, 5)
        where = f"{entrance.release.project.id} {entrance.release.branch}"
        return NotOpen(
            f"the container of {entrance.said} does not run now", evidence=tuple(lines),
            hint="an environment that is paused comes back with its next visitor; one that ends again and again says"
                 f" why in `deployd logs {where}`",
        )
