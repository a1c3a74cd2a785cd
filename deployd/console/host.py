"""The page of the host: what is not well, who waits, what takes up the disk and until when it lasts, who did what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployd.access.actions import Action, may, may_in
from deployd.console.asked import Asked
from deployd.console.live import Part, Parts, follow_parts
from deployd.http.event_stream import Events
from deployd.queries.audit import DeedShape
from deployd.queries.host import DiskShape, HostShape
from deployd.units import MEGABYTE

DEEDS = 50
"""Of the audit list on a page."""
STEP_BYTES = 16 * MEGABYTE
"""Less is no news on a page: free space changes all the time."""
KINDS = {
    "slug": "slugs: applications as they were built", "volume": "data of services", "mount": "mounts of applications",
    "image": "images", "cache": "caches of builds", "kept result": "what builds keep for later ones",
    "log": "logs of activities", "output": "output of containers",
    "repository": "repositories", "workspace": "workspaces of builds", "version": "configuration of versions",
    "snapshot": "snapshots of databases", "data": "data of deleted environments", "going": "what is being removed",
    "database": "deployd's own database", "other": "everything else",
}
"""{kind: what people read}"""


async def host(asked: Asked) -> str:
    """`before` goes back in the audit list."""
    before = asked.number("before")
    found = await _look(asked)
    deeds = await _deeds(asked, before)
    parts = {**_parts(found), **_newest(asked, deeds[:DEEDS])}
    ssh = await asked.queries.ssh.now(whole=asked.caller.is_everywhere)
    return await asked.page(
        "host.html", host=found, ssh=ssh, parts=parts, before=before, sees_all=asked.caller.is_everywhere,
        reads_audit=may(asked.caller, Action.READ_AUDIT), deeds=deeds[:DEEDS],
        earlier=deeds[DEEDS - 1].number if len(deeds) > DEEDS else None,
        live="/host/events" if before is None else "/host/events?audit=0",
    )


async def follow_host(asked: Asked) -> Events:
    """`audit=0`: without the newest entries of the audit list."""
    with_audit = asked.query.get("audit") != "0"

    async def look() -> Parts:
        deeds = (await _deeds(asked, None))[:DEEDS] if with_audit else []
        return {**_parts(await _look(asked)), **(_newest(asked, deeds) if with_audit else {})}

    return follow_parts(look)


async def _look(asked: Asked) -> HostShape:
    return await asked.queries.host.now(
        _projects(asked), with_collectable=may(asked.caller, Action.COLLECT),
    )


async def _deeds(asked: Asked, before: int | None) -> list[DeedShape]:
    """One more than stand on a page, when there are."""
    if not may(asked.caller, Action.READ_AUDIT):
        return []
    return await asked.queries.audit.newest(may_in(asked.caller, Action.READ_AUDIT), before=before, limit=DEEDS + 1)


def _projects(asked: Asked) -> Sequence[str] | None:
    return may_in(asked.caller, Action.SEE)


def _newest(asked: Asked, deeds: list[DeedShape]) -> Parts:
    return {"deeds": Part("host_deeds", {"deeds": deeds})} if may(asked.caller, Action.READ_AUDIT) else {}


def _parts(found: HostShape) -> Parts:
    parts = {
        "reasons": Part("host_reasons", {"reasons": found.reasons}),
        "slots": Part("host_slots", {"slots": found.slots, "waiting": found.waiting}),
        "certificates": Part("host_certificates", {"certificates": found.certificates}),
    }
    if found.disk is not None:
        parts["disk"] = Part("host_disk", {"disk": _without_noise(found.disk), "words": KINDS})
        parts["loops"] = Part("host_loops", {"loops": found.loops})
    if found.collectable is not None:
        parts["collectable"] = Part("host_collectable", {"found": found.collectable})
    return parts


def _without_noise(disk: DiskShape) -> DiskShape:
    return replace(disk, free_bytes=disk.free_bytes // STEP_BYTES * STEP_BYTES, kinds=tuple(
        replace(item, size_bytes=item.size_bytes // STEP_BYTES * STEP_BYTES) if item.kind == "other" else item
        for item in disk.kinds
    ))
