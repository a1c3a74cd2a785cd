"""What is kept of environments between their deployments, out of the database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deployd.activity.journal import Journal, read_result, write_result
from deployd.activity.masking import Masker
from deployd.clock import Clock
from deployd.engine.addresses import gateway_of
from deployd.engine.engine import Engine
from deployd.engine.subnets import next_subnet, overlaps, parse_host_routes
from deployd.environment.kept_variables import SeenVariables
from deployd.ids import ActivityId, EnvironmentId, ProjectId, SlugKey
from deployd.promotion.gate import Verdict
from deployd.promotion.offer import Offer
from deployd.release import kept_variables
from deployd.release.tickets import ask_gate
from deployd.release.version import Version
from deployd.settings import ProjectSettings, Settings
from deployd.state import (
    activities,
    answers,
    bad_releases,
    entries,
    environments,
    locks,
    rests,
    secrets,
    tickets,
    variables,
)
from deployd.state.activities import Activity
from deployd.state.locks import Lock
from deployd.state.rests import Rest
from deployd.state.sealing import Sealer
from deployd.state.store import Store

HOST_ROUTES = Path("/proc/net/route")


class StateFacts:
    """Facts about environments in state.db. Secrets that it hands out are masked in every log from then on."""

    def __init__(
        self, store: Store, engine: Engine, settings: Settings, clock: Clock, masker: Masker, sealer: Sealer,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            told: Called when an environment has got its subnet.
        """
        self._store = store
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._masker = masker
        self._sealer = sealer
        self._told = told

    async def live(self, environment: EnvironmentId) -> Version | None:
        text = await self._store.read(lambda db: environments.live_version(db, environment))
        return read_result(text, Version) if text else None

    async def set_live(self, environment: EnvironmentId, version: Version) -> None:
        text, now = write_result(version), self._clock.now()

        def set_live(db: sqlite3.Connection) -> None:
            environments.set_live(db, environment, version.activity, text, now)
            forget_variables(db, environment.project)

        await self._store.write(set_live)

    async def version_of(self, activity: ActivityId) -> Version | None:
        text = await self._store.read(lambda db: environments.version_of(db, activity))
        return read_result(text, Version) if text else None

    async def entropy(self, project: ProjectId) -> str:
        # Read first: that waits for no disk.
        there = await self._store.read(lambda db: secrets.entropy_of(db, self._sealer, project))
        if there is None:
            there = await self._store.write(lambda db: secrets.ensure_entropy(db, self._sealer, project))
        self._masker.learn([there])
        return there

    async def uid(self, project: ProjectId) -> int:
        """Number of the user (and group) of a project, for all its containers; no other project ever has it."""
        there = await self._store.read(lambda db: environments.uid_of(db, project))
        if there is None:
            await self.entropy(project)   # which makes the project's row
            first = self._settings.first_uid
            there = await self._store.write(lambda db: environments.ensure_uid(db, project, first))
        return there

    async def variables_now(self, project: ProjectSettings, branch: str) -> SeenVariables:
        """Which variables an environment would be deployed with now."""
        return await self._store.read(lambda db: kept_variables.seen_now(db, project, branch))

    async def with_variables(
        self, project: ProjectSettings, branch: str, seen: SeenVariables,
    ) -> ProjectSettings:
        """A project as an environment of it sees it, with the variables that people set."""
        if not seen.revision:
            return project
        found = await self._store.read(
            lambda db: kept_variables.levels_at(db, self._sealer, project, branch, seen),
        )
        self._masker.learn(item.value for level in found for item in level.variables.values() if item.sensitive)
        return project.with_kept_variables(found)

    async def subnet(self, environment: EnvironmentId, network: str) -> str:
        """The environment's own subnet, free of everything that the engine and the host use.

        It is kept from then on, unless somebody else took it while there was no network of the environment.
        """
        networks = await self._engine.networks({})
        used = {subnet for item in networks for subnet in item.subnets}
        used.update(parse_host_routes(await asyncio.to_thread(HOST_ROUTES.read_text)))
        there = any(item.name == network for item in networks)
        subnet = await self._store.write(lambda db: environments.ensure_subnet(
            db, environment,
            lambda taken: next_subnet(self._settings.network_pool, self._settings.subnet_prefix, used | taken),
            lambda subnet: there or not overlaps(subnet, used),
        ))
        self._told()
        return subnet

    async def gateway(self, environment: EnvironmentId) -> str:
        """The host's address in the environment's network; empty as long as it has none."""
        subnet = await self._store.read(lambda db: environments.subnet_of(db, environment))
        return gateway_of(subnet) if subnet else ""

    async def secret(self, environment: EnvironmentId, service: str, name: str) -> str:
        key = (environment, service, name)
        there = await self._store.read(lambda db: secrets.secret_of(db, self._sealer, *key))
        if there is None:
            there = await self._store.write(lambda db: secrets.ensure_secret(db, self._sealer, *key))
        self._masker.learn([there])
        return there

    async def exists(self, environment: EnvironmentId) -> bool:
        """Whether the environment is there; one that is deleted and whose data is kept is not."""
        return await self._store.read(lambda db: environments.find(db, environment)) is not None

    async def lock(self, environment: EnvironmentId) -> Lock | None:
        """Who keeps the environment as it is; None: nobody."""
        return await self._store.read(lambda db: locks.find(db, environment))

    async def has_open_ticket(self, activity: ActivityId) -> bool:
        return await self._store.read(lambda db: tickets.has_news(db, activity)) is not None

    async def ask_gate(self, activity: Activity, offer: Offer, *, is_contained: bool) -> Verdict:
        """What stands in the way of what an activity would make live, written down with what is offered.

        Raises:
            TicketEnded: Somebody ended its ticket meanwhile, or the environment is protected no more.
        """
        project, now = self._settings.projects[activity.project], self._clock.now()
        return await self._store.write(
            lambda db: ask_gate(db, project, activity, offer, is_contained=is_contained, now=now),
        )

    async def rest(self, environment: EnvironmentId) -> Rest | None:
        """Whether it is paused or inactive; None: there is no such environment."""
        return await self._store.read(lambda db: rests.of(db, environment))

    async def set_rest(self, environment: EnvironmentId, rest: Rest) -> None:
        now = self._clock.now()
        await self._store.write(lambda db: rests.put(db, environment, rest, now))

    async def failed_wakes(self, environment: EnvironmentId, most: int) -> int:
        """How many wakes failed one after the other, up to now."""
        return await self._store.read(lambda db: rests.failed_wakes(db, environment, most))

    async def is_bad(self, activity: ActivityId) -> bool:
        """Whether what an activity made live was found a bad release."""
        return await self._store.read(lambda db: bad_releases.is_bad(db, activity))

    async def waiting_behind(self, environment: EnvironmentId, activity: ActivityId) -> str:
        """What waits for an activity to end, for people; empty: nothing, or only what a lock holds."""
        waiting = await self._store.read(lambda db: activities.waiting_behind(db, environment, activity))
        return f"{waiting[0].kind} {waiting[0].id} of {waiting[0].trigger.who} waits" if waiting else ""

    async def usual_answers(self, environment: EnvironmentId) -> dict[str, int]:
        """{URL: status, when what is live had become so}"""
        return await self._store.read(lambda db: answers.usual(db, environment))

    async def set_usual_answers(
        self, environment: EnvironmentId, statuses: Mapping[str, int],
    ) -> None:
        """Write down what a version answers that has become live: {URL: status}."""
        now = self._clock.now()
        await self._store.write(lambda db: answers.put_usual(db, environment, statuses, now))

    async def set_wrong_answers(
        self, environment: EnvironmentId, wrong: Mapping[str, str],
    ) -> bool:
        """Write down what visitors get now that is worse than usual: {URL: answer}. False: that was known."""
        now = self._clock.now()
        return await self._store.write(lambda db: answers.put_wrong(db, environment, wrong, now))

    async def forget(self, environment: EnvironmentId) -> None:
        """The environment is gone; its activities and their logs stay, and its secrets as long as its data."""
        await self._store.write(lambda db: environments.forget(db, environment))

    async def forget_secrets(self, environment: EnvironmentId) -> None:
        """Its data is gone as well."""
        await self._store.write(lambda db: secrets.forget_secrets(db, environment))

    async def slugs_in_use(self, *but_for: ActivityId) -> frozenset[SlugKey]:
        """Slugs of all live versions, and of those that deployments under way are about to start.

        Args:
            but_for: Activities whose versions do not count.
        """
        versions = await self._store.read(_versions_in_use)
        return frozenset(app.slug for version in versions if version.activity not in but_for for app in version.apps)


@dataclass(frozen=True, slots=True)
class _Planned:
    """Of the result of `read_and_plan`, what is asked for here."""

    version: Version


def forget_variables(db: sqlite3.Connection, project: ProjectId) -> None:
    """Remove those that nobody keeps any more, unless something live, or about to be, was deployed with them."""
    seen = [read_result(text, Version).variables.revision for text in environments.kept_live_versions(db, project)]
    for activity in activities.open_ones(db):
        with suppress(LookupError):
            if activity.project == project:
                seen.append(_planned(db, activity).version.variables.revision)
    variables.forget_unneeded(db, project, frozenset(seen))


def _planned(db: sqlite3.Connection, activity: Activity) -> _Planned:
    return Journal(entries.all_of_activity(db, activity.id)).result("read_and_plan", _Planned)


def _versions_in_use(db: sqlite3.Connection) -> list[Version]:
    found = [read_result(text, Version) for _, text in environments.live_versions(db)]
    for activity in activities.open_ones(db):
        with suppress(LookupError):
            found.append(_planned(db, activity).version)
    return found
