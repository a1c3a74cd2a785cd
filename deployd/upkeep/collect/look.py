"""What there is on this host that is ours, and who needs it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.journal import Journal, read_result
from deployd.confined.trees import size_of
from deployd.deployment.results import Planned
from deployd.engine.names import ACTIVITY, PART, environment_of, instance_labels
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.process import ProgramOverran
from deployd.release.ports import Host
from deployd.release.version import Version
from deployd.slugs.kept import over_bounds
from deployd.state import activities, entries, environments, unneeded
from deployd.state.store import Store
from deployd.units import MEGABYTE
from deployd.upkeep.collect.merged import find_merged
from deployd.upkeep.collect.things import Kind, Thing

MOST_CRON_LOGS = 200
"""Of an environment; a cron has two at most."""
UNCOUNTED_BYTES = 10**15
OF_DEPLOYMENTS: tuple[tuple[Kind, str], ...] = (("version", "*/*/versions/*"), ("snapshot", "*/*/snapshots/*"))


@dataclass(frozen=True, slots=True)
class Rows:
    """What the database says is needed."""

    slugs: frozenset[str]
    images: frozenset[str]
    services: frozenset[tuple[EnvironmentId, str]]
    """(environment, service) of live versions"""
    environments: frozenset[EnvironmentId]
    with_secrets: frozenset[EnvironmentId]
    live: frozenset[str]
    """Numbers of the activities whose versions are live, and of those whose containers such a version goes on in"""
    open: frozenset[str]
    """Numbers of activities that wait or run"""
    busy: frozenset[EnvironmentId]
    """Where something waits or runs"""
    active_projects: frozenset[str]
    """Where there was an activity lately"""
    old: tuple[ActivityId, ...]
    """Activities whose logs and rows nobody needs"""
    ended: Mapping[ProjectId, Sequence[ActivityId]]
    """Activities of each project that nothing refers to, newest first"""


async def look(store: Store, host: Host, now: datetime, boundary: ErrorBoundary) -> tuple[Thing, ...]:
    """Everything that housekeeping knows, needed or not. A kind that cannot be looked at keeps no other from going."""
    rules = host.settings.collect
    rows = await store.read(lambda db: _read(
        db, host.settings.keep_versions, now - timedelta(days=rules.cache_days), now - timedelta(days=rules.log_days),
    ))
    found: list[Thing] = []
    for kind in (_slugs, _volumes, _images, _files):
        with boundary.contain(f"looking for {kind.__name__.strip('_')}"):
            found += await kind(host, rows)
    with boundary.contain("looking for what builds kept"):
        found += await _kept_results(host, rows, now)
    with boundary.contain("looking for environments of merged branches"):
        found += await find_merged(store, host, now, boundary)
    return tuple(found)


def _read(db: sqlite3.Connection, keep: int, cache_before: datetime, log_before: datetime) -> Rows:
    kept = unneeded.kept_versions(db, keep)
    versions = {number: read_result(text, Version) for number, text in kept.items()}
    opened = activities.open_ones(db)
    for activity in opened:
        with suppress(LookupError):
            # History too: what was built before a lock held it waits to go live.
            planned = Journal(entries.all_of_activity(db, activity.id)).result("read_and_plan", Planned)
            versions[activity.id] = planned.version
        # A rollback that still waits has no plan yet, and a push before it may take its target off the list.
        target = activity.trigger.to
        if target is not None and (text := environments.version_of(db, target)) is not None:
            versions[target] = read_result(text, Version)
    there = environments.list_all(db)
    live = {item.live_activity: item for item in there if item.live_activity is not None}
    services = {
        (live[number].id, service.name)
        for number, version in versions.items() if number in live for service in version.services
    }
    active = db.execute("SELECT DISTINCT project FROM activities WHERE created_at >= ?", (cache_before.isoformat(),))
    busy = frozenset(activity.environment for activity in opened)
    return Rows(
        slugs=frozenset(app.slug for version in versions.values() for app in version.apps),
        images=frozenset(app.image_id for version in versions.values() for app in version.apps)
        | frozenset(service.image_id for version in versions.values() for service in version.services),
        services=frozenset(services),
        environments=frozenset(item.id for item in there),
        with_secrets=frozenset(unneeded.environments_with_secrets(db)),
        live=frozenset(str(number) for number in live) | frozenset(
            home for number, version in versions.items() if number in live for home in version.kept_parts()
        ),
        open=frozenset(str(activity.id) for activity in opened),
        busy=busy,
        active_projects=frozenset(row["project"] for row in active) | {project for project, _ in busy},
        old=tuple(unneeded.old_activities(db, log_before, versions)),
        ended=unneeded.ended_activities(db, versions),
    )


async def _slugs(host: Host, rows: Rows) -> list[Thing]:
    mounted = await host.slugs.all_mounted()
    return [
        Thing("slug", slug.key, slug.size_bytes, why="no environment can go back to it", needed_by=(
            "an environment" if slug.key in rows.slugs else "what runs" if slug.key in mounted else ""
        ))
        for slug in await host.slugs.list()
    ]


async def _kept_results(host: Host, rows: Rows, now: datetime) -> list[Thing]:
    """What steps of builds made, for later ones. A build that was planned with one has used it just now."""
    rules, results = host.settings.collect, await host.kept.all()
    over = {item.name for item in over_bounds(results, rules.kept_mb)}
    before = (now - timedelta(days=rules.kept_days)).timestamp()
    return [
        Thing("kept result", item.name, item.size_bytes, why=(
            "its project keeps more than its share" if item.name in over else "no build took it over for long"
        ), needed_by="its project" if item.project in host.settings.projects and item.used_at >= before
            and item.name not in over else "")
        for item in results
    ]


async def _volumes(host: Host, rows: Rows) -> list[Thing]:
    """Data of services: of a deleted environment all of it together, else of a service that is not there any more."""
    found = []
    gone: dict[EnvironmentId, int] = dict.fromkeys(rows.with_secrets - rows.environments, 0)
    for path in host.places.all_data():
        gone.setdefault(EnvironmentId(ProjectId(path.parent.parent.name), EnvironmentName(path.parent.name)), 0)
    volumes = await host.engine.volumes(instance_labels(host.settings.instance))
    for volume in volumes:
        labels = volume.labels
        key = environment_of(labels)
        if ACTIVITY in labels or key is None:
            continue
        size = await _size(volume.folder)
        if key in rows.environments or key in rows.busy:
            is_used = (key, labels.get(PART, "")) in rows.services or key in rows.busy
            found.append(Thing("volume", volume.name, size, why="its service is not there any more",
                               needed_by=key.name if is_used else ""))
        else:
            gone[key] = gone.get(key, 0) + size
    for key, size in gone.items():
        if key not in rows.environments:
            mounts = await _size(host.places.data(key))
            found.append(Thing("data", str(key), size + mounts, why="its environment was deleted",
                               needed_by="an activity" if key in rows.busy else ""))
    return found


async def _images(host: Host, rows: Rows) -> list[Thing]:
    """Ours that lost their name to a newer one; those of others, and those that containers have, are not looked at."""
    return [
        Thing("image", image.id, image.size_bytes, why="a newer one has its name",
              needed_by="an environment" if image.id in rows.images else "")
        for image in await host.engine.replaced_images()
    ]


async def _files(host: Host, rows: Rows) -> list[Thing]:
    state, budget = host.places.state, host.settings.collect.cache_mb * MEGABYTE
    found = []
    for path in await _folders(state / "caches", "*"):
        size, of = await _size(path), path.name.partition("+")[0]   # `shop+protected` is of shop, too
        is_busy = any(project == of for project, _ in rows.busy)
        is_used = of in rows.active_projects and size <= budget
        found.append(Thing("cache", path.name, size, needed_by="its project" if is_used or is_busy else "",
                           why="it is over its budget" if size > budget else "nothing was pushed for long"))
    for path in await _folders(state / "work", "*"):
        found.append(Thing("workspace", path.name, await _size(path), why="its build has ended",
                           needed_by="an activity" if path.name in rows.open else ""))
    for kind, pattern in OF_DEPLOYMENTS:
        for path in await _folders(state / "environments", pattern):
            key = (path.parent.parent.parent.name, path.parent.parent.name)
            needed = path.name in rows.live or path.name in rows.open or key in rows.busy
            found.append(Thing(kind, str(path.relative_to(state / "environments")), await _size(path),
                               needed_by="an environment" if needed else "", why="its deployment has ended"))
    return [*found, *await asyncio.to_thread(lambda: [*_logs(host, rows), *_cron_logs(state / "environments")])]


async def _size(folder: Path) -> int:
    """More than any budget when there are too many files to be counted: one project's must not hold up a round."""
    try:
        return await size_of(folder)
    except ProgramOverran:
        return UNCOUNTED_BYTES


async def _folders(folder: Path, pattern: str) -> list[Path]:
    return await asyncio.to_thread(lambda: sorted(folder.glob(pattern)))


def _logs(host: Host, rows: Rows) -> Iterator[Thing]:
    """Of activities that ended long ago, and the oldest of a project whose logs are more than its share."""
    old = set(rows.old)
    for number in rows.old:
        yield Thing("log", str(number), _log_bytes(host, number), why="it ended long ago")
    for project, numbers in rows.ended.items():
        left = host.settings.shares_of(project).logs_mb * MEGABYTE
        for number in numbers:
            size = _log_bytes(host, number)
            left -= size
            if left < 0 and number not in old:
                yield Thing("log", str(number), size, why="the logs of its project take more than their share")


def _cron_logs(environments: Path) -> Iterator[Thing]:
    """The oldest ones of an environment whose crons are called otherwise with every push."""
    for folder in environments.glob("*/*/crons"):
        logs = sorted(folder.iterdir(), key=lambda log: log.lstat().st_mtime, reverse=True)
        for log in logs[MOST_CRON_LOGS:]:
            yield Thing("cron log", str(log.relative_to(environments)), log.lstat().st_size,
                        why="its environment has many newer ones")


def _log_bytes(host: Host, number: ActivityId) -> int:
    log = host.places.logs / f"{number}.jsonl"
    return log.stat().st_size if log.is_file() else 0
