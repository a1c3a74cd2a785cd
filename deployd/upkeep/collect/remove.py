"""How each kind of thing is taken away. Every removal may be repeated, and refuses what came into use meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from deployd.confined.stages import ensure_unstaged
from deployd.confined.trash import move_to_trash
from deployd.confined.trees import remove_tree
from deployd.deployment.kinds import KINDS, PURGE
from deployd.deployment.requests import Request, Requests
from deployd.engine.names import environment_of, instance_labels
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId, SlugKey
from deployd.release.ports import Host
from deployd.slugs.layers import ensure_no_tree
from deployd.state import activities, unneeded
from deployd.state.activities import Trigger
from deployd.state.store import Store
from deployd.upkeep.collect.merged import ask_for_end
from deployd.upkeep.collect.things import Thing

JUST_USED = timedelta(hours=1)
"""A plan that found a slug may make an image before it is written down: longer than planning may take."""


class Removal:
    """Takes things away."""

    def __init__(self, store: Store, host: Host, requests: Requests) -> None:
        self._store = store
        self._host = host
        self._requests = requests

    async def remove(self, thing: Thing, who: str, now: datetime) -> bool:
        """Take a thing away. False: somebody has come to need it, or it is left to its lane."""
        match thing.kind:
            case "slug":
                return await self._host.slugs.remove_unused(SlugKey(thing.name), (now - JUST_USED).timestamp())
            case "kept result":
                return await self._host.kept.remove_unused(thing.name, (now - JUST_USED).timestamp())
            case "image":
                return await self._host.engine.remove_image(thing.name)
            case "data":
                return await self._purge(EnvironmentId.read(thing.name), who)
            case "environment":
                key = EnvironmentId.read(thing.name)
                return await self._requests.write(
                    lambda db: ask_for_end(db, self._requests, self._host.settings, key, who, now),
                )
            case "volume":
                return await self._volume(thing.name)
            case "log":
                await self._store.write(lambda db: unneeded.forget_activity(db, ActivityId(int(thing.name))))
                log = self._host.places.logs / f"{thing.name}.jsonl"
                await asyncio.to_thread(log.unlink, missing_ok=True)
            case "cron log":
                log = self._host.places.state / "environments" / thing.name
                await asyncio.to_thread(log.unlink, missing_ok=True)
            case "cache":
                return await self._cache(thing.name)
            case "workspace":
                if not await self._store.read(lambda db: unneeded.is_in_use(db, thing.name)):
                    await ensure_no_tree(self._host.places.run / "trees" / thing.name)
                return await self._of_activity(self._host.places.state / "work" / thing.name)
            case "version" | "snapshot":
                return await self._of_activity(self._host.places.state / "environments" / thing.name)
        return True

    async def _purge(self, environment: EnvironmentId, who: str) -> bool:
        """Into the environment's own lane: there it meets no deployment of a branch that comes back."""
        def enqueue(db: sqlite3.Connection) -> bool:
            known = activities.newest_of_kinds(db, environment, tuple(KINDS))
            if known is not None and known.state in activities.OPEN:
                return False
            branch = known.branch if known else environment.name
            self._requests.ask_for(db, Request(PURGE, environment, branch, None, Trigger(who, "daemon")))
            return True

        return environment.project in self._host.settings.projects and await self._requests.write(enqueue)

    async def _of_activity(self, folder: Path) -> bool:
        """A folder that has the number of its activity as its name.

        The round looked at the rows first and at the folders later: a push that began between the two has a folder
        and no row that the round knows. So the rows are asked again; who is found to have ended stays ended.
        """
        if await self._store.read(lambda db: unneeded.is_in_use(db, folder.name)):
            return False
        if folder.parent.name == "versions":
            await ensure_unstaged(self._host.places.stages(
                EnvironmentId(ProjectId(folder.parts[-4]), EnvironmentName(folder.parts[-3])), folder.name,
            ))
        await remove_tree(folder)
        return True

    async def _volume(self, name: str) -> bool:
        found = [item for item in await self._host.engine.volumes(instance_labels(self._host.settings.instance))
                 if item.name == name]
        for volume in found:
            if await self._is_busy(environment_of(volume.labels)):
                return False
            await self._host.engine.ensure_volume_gone(name)
        return bool(found)

    async def _cache(self, name: str) -> bool:
        """Moved away first: a build that begins now gets a new one, and no half of the old one."""
        project, _, zone = name.partition("+")
        if any(item.project == project for item in await self._store.read(activities.open_ones)):
            return False
        folder = self._host.places.cache(ProjectId(project), zone)
        await move_to_trash(folder, self._host.places.going)
        return True

    async def _is_busy(self, environment: EnvironmentId | None) -> bool:
        return any(item.environment == environment for item in await self._store.read(activities.open_ones))


