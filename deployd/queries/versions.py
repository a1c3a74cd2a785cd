"""Versions that were live in an environment, as long as they are kept, and which of them is gone back to."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from deployd.activity.journal import read_result
from deployd.errors import DeployError
from deployd.ids import ActivityId
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.live_versions import LiveVersions
from deployd.release.version import Version, is_same
from deployd.settings import Settings
from deployd.state import activities, bad_releases, environments
from deployd.state.activities import Activity
from deployd.state.environments import Environment
from deployd.state.store import Store


class NothingLive(DeployError):
    """The environment has never been live, or there is no version to go back to."""

    code: ClassVar[str] = "nothing-live"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionShape:
    """What one activity made live."""

    activity: int
    kind: str
    """`push`, `redeploy` or `rollback`; empty when the activity is too old to be kept."""
    commit: str
    subject: str
    author: str
    who: str
    how: str
    since: str
    """When it became live: ISO 8601, UTC; empty: it never was."""
    seconds: float | None
    """That the activity took."""
    live: bool
    """It is now."""
    bad: str = ""
    """Why it was found a bad release; empty: it was not."""


class VersionQueries:
    def __init__(self, store: Store, settings: Settings, environments: EnvironmentQueries) -> None:
        self._store = store
        self._settings = settings
        self._environments = environments
        self._about = LiveVersions(store)

    async def all(self, project: str, environment: str) -> list[VersionShape]:
        """Of an environment (machine name or branch), newest first, the live one included.

        Raises:
            NotFound: There is no such environment.
        """
        found = await self._environments.find(project, environment)
        rows = await self._store.read(
            lambda db: environments.earlier_versions(db, found.id, self._settings.keep_versions + 1),
        )
        await self._about.learn(number for number, _, _ in rows)
        by = await self._store.read(lambda db: _activities(db, [number for number, _, _ in rows]))
        bad = {item.activity: item.why for item in await self._store.read(
            lambda db: bad_releases.all_of(db, found.id),
        )}
        return [
            replace(self._shape(number, since.isoformat(), by.get(number), live=number == found.live_activity),
                    bad=bad.get(number, ""))
            for number, since, _ in rows
        ]

    def _shape(self, number: ActivityId, since: str, by: Activity | None, *, live: bool) -> VersionShape:
        about = self._about.of(number)
        ran = by.ended_at - by.started_at if by and by.ended_at and by.started_at else None
        return VersionShape(
            activity=number, kind=by.kind if by else "", commit=about.commit, subject=about.subject,
            author=about.author, who=by.trigger.who if by else "", how=by.trigger.how if by else "", since=since,
            seconds=ran.total_seconds() if ran is not None else None, live=live,
        )


async def choose_earlier(
    store: Store, settings: Settings, environment: Environment, to: int | None,
) -> tuple[ActivityId, Version]:
    """(whose version, the version) to which an environment goes back.

    A redeploy of an unchanged version makes a version like the one before: to go back to that would change nothing.
    Nobody goes back to a bad release without naming it.

    Args:
        to: Of which activity; None: the newest one that is another than the live one.

    Raises:
        NothingLive: There is no such version.
    """
    rows = await store.read(lambda db: environments.earlier_versions(db, environment.id, settings.keep_versions + 1))
    known = {number: read_result(text, Version) for number, _, text in rows}
    live = known.pop(environment.live_activity, None) if environment.live_activity else None
    bad = {item.activity for item in await store.read(lambda db: bad_releases.all_of(db, environment.id))}
    chosen = next((number for number, version in known.items() if (
        number == to if to is not None else number not in bad and (live is None or not is_same(version, live))
    )), None)
    if chosen is None:
        there = ", ".join(map(str, known)) or "none"
        raise NothingLive(
            f"{environment.branch} has no version {to if to is not None else 'before the live one'} to go back to",
            hint=f"versions that were live, by their activity: {there}",
        )
    return chosen, known[chosen]


def _activities(db: sqlite3.Connection, numbers: list[ActivityId]) -> Mapping[ActivityId, Activity]:
    return {number: found for number in numbers if (found := activities.find(db, number)) is not None}
