"""Sessions that nobody came back for after the daemon was away: both it and `deployd-ssh` had gone."""

from __future__ import annotations

import asyncio

from deployd.activity.error_boundary import ErrorBoundary
from deployd.inside.attend import Outcome
from deployd.inside.sessions import Sessions
from deployd.state import stays
from deployd.state.stays import Stay

COME_BACK_SECONDS = 60.0
LOOK_SECONDS = 60.0


class Leftovers:
    def __init__(self, sessions: Sessions, boundary: ErrorBoundary) -> None:
        self._sessions = sessions
        self._boundary = boundary
        self._known: set[str] = set()
        """Those that nobody attended to when it was last looked."""

    async def serve(self) -> None:
        """For ever."""
        await asyncio.sleep(COME_BACK_SECONDS)
        while True:
            with self._boundary.contain("ending sessions over SSH that nobody is in"):
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """End what nobody attends to, when it was so the last time too: one may just begin."""
        all_stays = await self._sessions.store.read(stays.list_all)
        alone = [stay for stay in all_stays if not self._sessions.open.has(stay.id)]
        for stay in alone:
            if stay.id in self._known:
                with self._boundary.contain(f"ending a {stay.kind} of {stay.who} in {stay.environment}"):
                    await self._end(stay)
        self._known = {stay.id for stay in alone}

    async def _end(self, stay: Stay) -> None:
        command = None if stay.kind == "tunnel" else await self._sessions.host.engine.find_command(stay.id)
        if command is not None:
            await command.end()
        await self._sessions.leave(stay, Outcome(did="nobody came back for it"))
