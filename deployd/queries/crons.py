"""Crons of what is live: when they run next, how their last runs ended, and what these printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployd.queries.environments import EnvironmentQueries
from deployd.queries.times import iso
from deployd.release.configuration import read_config
from deployd.release.ports import Host
from deployd.state.environments import Environment
from deployd.state.store import Store
from deployd.upkeep.cron_run import log_name
from deployd.upkeep.crons import CronKey, Crons
from deployd.upkeep.ownership import read_live, read_paused

MOST_READ_BYTES = 512 * 1024
"""Of a log, its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRunShape:
    """One run of a cron that has ended."""

    app: str
    cron: str
    due: str
    """ISO 8601, UTC."""
    ended: str
    seconds: float
    state: str
    """`success`, `failed`, `overran`, `lost` or `not_started`."""
    status: int | None
    said: str
    """Why it did not end well."""
    version: int | None
    """The activity in whose version it ran."""
    who: str
    """Who wanted it now; empty: it was due."""
    output: tuple[str, ...]
    """Its last lines; secrets are masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronShape:
    app: str
    name: str
    spec: str
    """When it runs, as the file says."""
    timezone: str
    """Empty: UTC."""
    start: str
    """The command."""
    next_due: str
    """ISO 8601, UTC; empty: not known yet, or never."""
    state: str
    """`idle`, `waits` (for its turn or a deployment) or `runs`."""
    last: CronRunShape | None
    """None: no run is written down."""


class CronQueries:
    def __init__(self, store: Store, host: Host, environments: EnvironmentQueries, crons: Crons) -> None:
        self._store = store
        self._host = host
        self._environments = environments
        self._crons = crons

    async def all(self, project: str, environment: str) -> list[CronShape]:
        """Of what is live in an environment (machine name or branch), in the order of its files.

        Raises:
            NotFound: There is no such environment.
        """
        found = await self._environments.find_configured(project, environment)
        settings = self._host.settings
        release = await read_live(self._store, settings, found.id) or await read_paused(self._store, settings, found.id)
        if release is None:
            return []
        config = await read_config(release, self._host)
        shown = []
        for app in config.applications:
            for cron in app.crons:
                now = self._crons.now(CronKey(found.id, app.name, cron.name))
                last = await self._runs(found, app.name, cron.name, 1)
                shown.append(CronShape(
                    app=app.name, name=cron.name, spec=cron.spec, timezone=app.web.instance.timezone or "",
                    start=cron.start, next_due=iso(now.next_due), state=now.state, last=last[0] if last else None,
                ))
        return shown

    async def runs(self, project: str, environment: str, app: str, cron: str, limit: int) -> list[CronRunShape]:
        """Of one cron, newest first; empty when there is none of this name."""
        found = await self._environments.find_configured(project, environment)
        return await self._runs(found, app, cron, limit)

    async def _runs(self, environment: Environment, app: str, cron: str, limit: int) -> list[CronRunShape]:
        if not app or "/" in app or app.startswith("."):   # no name of an application, and no path
            return []
        file = self._host.places.crons(environment.id) / log_name(app, cron)
        return await asyncio.to_thread(_newest, file, limit)


def _newest(file: Path, limit: int) -> list[CronRunShape]:
    found: list[CronRunShape] = []
    for place in (file, file.with_name(file.name + ".1")):
        for record in _records(place):
            if len(found) == limit:
                return found
            found.append(_shape(record))
    return found


def _records(file: Path) -> Iterator[dict[str, Any]]:
    """Newest first."""
    try:
        with file.open("rb") as lines:
            size = lines.seek(0, 2)
            lines.seek(max(0, size - MOST_READ_BYTES))
            text = lines.read()
    except OSError:
        return
    for line in reversed(text.splitlines()):
        with suppress(ValueError, UnicodeDecodeError):   # cut at its beginning, or by a full disk
            record = json.loads(line)
            if isinstance(record, dict) and "cron" in record:
                yield record


def _shape(record: dict[str, Any]) -> CronRunShape:
    return CronRunShape(
        app=record["app"], cron=record["cron"], due=record["due"], ended=record["ended"], seconds=record["seconds"],
        state=record["state"], status=record["status"], said=record["said"], version=record.get("version"),
        who=record.get("who", ""), output=tuple(record["output"]),
    )
