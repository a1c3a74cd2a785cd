"""All that is live at one look: one question each to the database, Docker, the router and the kernel.

However many environments there are. It tells those that are surely as they should be from those that have to be looked
at closely, one by one (`repair.py`, `reconcile.py`). Who is not sure says "not well": that costs a closer look, no
more.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.journal import read_result
from deployd.engine.names import PART, ROLE, Names, environment_of, instance_labels
from deployd.engine.observed import ContainerSeen
from deployd.ids import ActivityId, EnvironmentId, SlugKey
from deployd.release.fingerprint import live_containers, routes_origin
from deployd.release.images_missing import NO_CONTAINER
from deployd.release.ports import Host
from deployd.release.version import Version
from deployd.router.table import RouterStatus
from deployd.state import activities, environments
from deployd.state.environments import LiveEnvironment
from deployd.state.store import Store

AT_A_TIME = 50
"""Environments that are judged before others get their turn in the loop: some milliseconds."""


Part = tuple[str, str]
"""(role, name): `("worker", "app--mailer")`"""


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found of all live environments, at nearly one moment."""

    live: frozenset[EnvironmentId]
    well: Mapping[EnvironmentId, Version]
    """Those in which everything runs that has to, on its slug, and the router has been told so; with what is live."""
    untold: frozenset[EnvironmentId] = frozenset()
    """Those that are paused, and of which the router does not know that."""


@dataclass(frozen=True, slots=True)
class _Found:
    containers: Mapping[EnvironmentId, Sequence[ContainerSeen]]
    router: RouterStatus
    mounted: frozenset[SlugKey]
    busy: frozenset[EnvironmentId]


@dataclass
class Surveyor:
    """Takes surveys. Versions never change, so each is read once."""

    store: Store
    host: Host
    boundary: ErrorBoundary = field(default_factory=lambda: ErrorBoundary("survey"))
    _versions: dict[EnvironmentId, tuple[ActivityId, Version]] = field(default_factory=dict)

    async def survey(self) -> Survey:
        """
        Raises:
            DeployError: Docker or the router does not answer.
        """
        rows = await self.store.read(environments.live_ones)
        found = await self._find()
        live = {row.id: row for row in rows if row.id.project in self.host.settings.projects}
        paused = {row.id: row for row in await self.store.read(environments.paused_ones)}
        for gone in self._versions.keys() - live.keys() - paused.keys():
            del self._versions[gone]
        well: dict[EnvironmentId, Version] = {}
        for number, (key, row) in enumerate(live.items()):
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
            if key in found.busy:
                continue
            with self.boundary.contain(f"the survey of {key}", shown=False):   # the closer look shows it
                version = await self._version(key, row.activity)
                if version is not None and self._is_well(key, version, found):
                    well[key] = version
        self.boundary.keep_only((f"the survey of {key}" for key in live), beginning="the survey of ")
        return Survey(frozenset(live), well, await self._untold(found, paused.values()))

    async def _untold(self, found: _Found, paused: Iterable[LiveEnvironment]) -> frozenset[EnvironmentId]:
        untold: set[EnvironmentId] = set()
        for row in paused:
            if row.id.project not in self.host.settings.projects or row.id in found.busy:
                continue
            with self.boundary.contain(f"the survey of {row.id}", shown=False):
                version = await self._version(row.id, row.activity)
                if version is not None and not self._is_told_asleep(row.id, version, found.router):
                    untold.add(row.id)
        return frozenset(untold)

    def _is_told_asleep(self, key: EnvironmentId, version: Version, router: RouterStatus) -> bool:
        told, settings = router.environments.get(str(key)), self.host.settings
        if told is None or not told.asleep:
            return False
        network = Names(settings.instance, key).network
        origin = routes_origin(settings, settings.projects[key.project], version, (), network)
        return told.origin in ("", origin)   # routes that lead to hosts outside have none

    async def _version(self, key: EnvironmentId, activity: ActivityId) -> Version | None:
        known = self._versions.get(key)
        if known is None or known[0] != activity:
            text = await self.store.read(lambda db: environments.version_of(db, activity))
            if text is None:
                return None
            known = self._versions[key] = (activity, read_result(text, Version))
        return known[1]

    async def _find(self) -> _Found:
        containers: dict[EnvironmentId, list[ContainerSeen]] = defaultdict(list)
        for item in await self.host.engine.containers(instance_labels(self.host.settings.instance)):
            key = environment_of(item.labels)
            if key is not None:
                containers[key].append(item)
        opened = await self.store.read(activities.open_lanes)
        return _Found(
            containers, await self.host.router.status(), await self.host.slugs.all_mounted(), frozenset(opened),
        )

    def _is_well(self, key: EnvironmentId, version: Version, found: _Found) -> bool:
        told = found.router.environments.get(str(key))
        if told is None or not found.router.complete or not told.origin:
            return False
        if told.frozen or told.maintenance or told.asleep:
            return False
        if any(app.slug not in found.mounted for app in version.apps):
            return False
        containers = live_containers(version, found.containers.get(key, ()))
        if not all(item.running and item.health in ("healthy", "none") for item in containers):
            return False
        if missing_parts(version, containers):
            return False
        settings = self.host.settings
        network = Names(settings.instance, key).network
        return told.origin == routes_origin(settings, settings.projects[key.project], version, containers, network)


def missing_parts(version: Version, there: Iterable[ContainerSeen]) -> frozenset[Part]:
    """Containers that a live version must have and that somebody removed."""
    wanted = {(role, part) for app in version.apps for part in app.webs for role in ("app", "web")}
    wanted |= {("worker", name) for app in version.apps for name in app.workers}
    wanted |= {("service", item.name) for item in version.services if item.type.partition(":")[0] not in NO_CONTAINER}
    return frozenset(wanted - {(item.labels[ROLE], item.labels.get(PART, "")) for item in there})
