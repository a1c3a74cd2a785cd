"""What is there of a daemon when nothing is under way: in Docker, mounted, on disk; and what of it nobody owns."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from deployd.engine.names import ACTIVITY, ENVIRONMENT, INSTANCE, PART, PROJECT, ROLE, is_set_aside
from deployd.process import run
from scripts.local_daemon import LocalDaemon
from scripts.removal import loops_below, mounts_below
from tests.support.journal_record import Live

OF_A_VERSION = frozenset({"app", "web", "worker"})


async def ownerless(daemon: LocalDaemon, lives: Sequence[Live]) -> list[str]:
    """Everything that belongs to no live version, and everything of a live version that is missing."""
    found = [*await _in_docker(daemon.instance, lives), *_mounted(daemon.directory, lives)]
    return [*found, *_on_disk(daemon.directory / "var" / "state", lives)]


async def _in_docker(instance: str, lives: Sequence[Live]) -> list[str]:
    by_key = {(live.project, live.environment): live for live in lives}
    found = []
    for kind, command in {
        "container": ("ps", "--all"), "network": ("network", "ls"), "volume": ("volume", "ls"),
    }.items():
        for name, labels in await _labelled(instance, *command):
            live = by_key.get((labels.get(PROJECT, ""), labels.get(ENVIRONMENT, "")))
            if not _is_owned(name, labels, live):
                found.append(f"{kind} {name}")
    there = defaultdict(set)
    for _, labels in await _labelled(instance, "ps"):
        which = labels.get(PART) if labels[ROLE] == "service" else labels.get(ACTIVITY)
        there[labels.get(PROJECT), labels.get(ENVIRONMENT)].add((labels[ROLE], which))
    for live in lives:
        wanted = {(role, home) for role in ("app", "web", "worker") for home in live.homes}
        wanted |= {("service", name) for name in live.services}
        found += [f"not there: the running {role} of {activity}, live in {live.project}/{live.branch}"
                  for role, activity in sorted(wanted - there[live.project, live.environment])]
    return found


def _is_owned(name: str, labels: dict[str, str], live: Live | None) -> bool:
    role = labels[ROLE]
    if role == "service" and is_set_aside(name, labels[PART]):
        return False
    if role == "router" or (role == "network" and PROJECT not in labels):
        return True
    if live is None:
        return False
    if role in OF_A_VERSION:
        return labels.get(ACTIVITY) in live.homes
    return role == "network" or (role in ("service", "volume") and labels.get(PART) in live.services)


async def _labelled(instance: str, *command: str) -> list[tuple[str, dict[str, str]]]:
    listed = await run("docker", *command, "--quiet", "--filter", f"label={INSTANCE}={instance}")
    names = listed.text.split()
    if not names:
        return []
    found = json.loads((await run("docker", "inspect", *names)).text)
    return [(item["Name"].removeprefix("/"), item.get("Labels") or item["Config"]["Labels"]) for item in found]


def _mounted(directory: Path, lives: Sequence[Live]) -> Iterator[str]:
    wanted = {slug for live in lives for slug in live.slugs}
    mounts = [path for path in mounts_below(directory) if Path(path).parent.name == "mounts"]
    there = [Path(path).name for path in mounts]
    yield from (f"mount {path}" for path in mounts if Path(path).name not in wanted)
    yield from (f"not there: the mount of {slug}" for slug in wanted - set(there))
    yield from (f"mounted twice: {slug}" for slug in set(there) if there.count(slug) > 1)
    loops = loops_below(directory)
    if len(loops) != len(there):
        yield f"{len(loops)} loop devices for {len(there)} mounts"


def _on_disk(state: Path, lives: Sequence[Live]) -> Iterator[str]:
    yield from (f"file {path}" for pattern in ("work/*", "slugs/*.part", "slugs/*.note", "environments/*/*/snapshots/*")
                for path in state.glob(pattern))
    live = {(item.project, item.environment): item.homes for item in lives}
    for folder in state.glob("environments/*/*"):
        homes = live.get((folder.parent.name, folder.name))
        if homes is None:
            yield f"folder {folder}"
            continue
        yield from (f"folder {path}" for path in folder.glob("versions/*") if path.name not in homes)
