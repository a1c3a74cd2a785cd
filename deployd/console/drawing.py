"""The parts of an environment as a drawing: routes, web servers, applications with workers, services and mounts. Pure.

    column      0         1            2                 3
              routes ─► web server ─► application ─┬─► service
                                       worker ─────┴─► mount
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from deployd.queries.parts import ApplicationShape, InstanceShape, PartsShape
from deployd.queries.usage import UseShape
from deployd.units import MEGABYTE

COLUMNS = (0.0, 330.0, 530.0, 790.0)
WIDTHS = (280.0, 150.0, 210.0, 230.0)
WIDTH = COLUMNS[-1] + WIDTHS[-1]
HEIGHT, GAP = 44.0, 12.0
MOST_ROUTES = 8
"""Of an application, in the drawing; the table has all."""
LONGEST = (32, 16, 24, 26)
"""Characters of a text that fit into a box of each column."""
ON_DISK = "network-storage"


@dataclass(frozen=True, slots=True)
class Item:
    """A part, as the drawing and the table show it."""

    id: str
    column: int
    kind: str
    """`route`, `web server`, `application`, `worker`, `service`, `mount`."""
    name: str
    more: str
    """Its type, or what it leads to."""
    state: str = ""
    """`runs`, `away`, or empty: it does not run by itself."""
    memory_bytes: int | None = None
    limit_bytes: int | None = None
    disk_bytes: int | None = None
    to: tuple[tuple[str, str], ...] = ()
    """(id of a part, by what name)"""


@dataclass(frozen=True, slots=True)
class Box:
    item: Item
    x: float
    y: float
    width: float
    height: float
    title: str
    below: str
    share: float | None
    """Of its memory that it uses, 0 to 1; None: it has none, or no limit."""


@dataclass(frozen=True, slots=True)
class Drawing:
    boxes: tuple[Box, ...]
    lines: tuple[str, ...]
    """Paths."""
    items: tuple[Item, ...]
    """All of them, for the table."""
    width: float
    height: float


def drawing(parts: PartsShape, uses: Sequence[UseShape]) -> Drawing:
    used = {(use.kind, use.name): use for use in uses}
    items = tuple(_items(parts, used))
    shown = _shown(items)
    boxes: dict[str, Box] = {}
    for column in range(len(COLUMNS)):
        for number, item in enumerate(item for item in shown if item.column == column):
            boxes[item.id] = _box(item, number)
    lines = tuple(
        _line(boxes[item.id], boxes[to]) for item in shown for to, _ in item.to if to in boxes
    )
    height = max((box.y + box.height for box in boxes.values()), default=0.0)
    return Drawing(tuple(boxes.values()), lines, items, WIDTH, height)


def _items(parts: PartsShape, used: Mapping[tuple[str, str], UseShape]) -> Iterable[Item]:
    apps = {app.name for app in parts.applications}
    targets = {
        **{app.name: tuple(f"web:{part}" if ("web", part) in used else f"app:{part}" for part in _instances(app))
           for app in parts.applications},
        **{service.name: (f"service:{service.name}",) for service in parts.services},
    }
    for route in sorted(parts.routes, key=lambda route: (not route.primary, route.type != "upstream")):
        leads = tuple((target, "") for target in targets.get(route.upstream, ()))
        more = "primary" if route.primary else route.type if route.type != "upstream" else ""
        yield Item(f"route:{route.url}", 0, "route", route.url, f"{route.type} to {route.to}" if route.to else more,
                   to=leads)
    for app in parts.applications:
        for part in _instances(app):
            if (web := used.get(("web", part))) is not None:
                yield _running(f"web:{part}", 1, "web server", part, "nginx", web, ((f"app:{part}", ""),))
        yield from _application(app, used, {**{name: f"app:{name}" for name in apps}, **{
            service.name: f"service:{service.name}" for service in parts.services}})
    for service in parts.services:
        use = used.get(("service", service.name))
        if service.type.startswith(ON_DISK):
            yield Item(f"service:{service.name}", 3, "service", service.name, service.type,
                       disk_bytes=use.disk_bytes if use else None)
        else:
            yield _running(f"service:{service.name}", 3, "service", service.name, service.type, use)
    for app in parts.applications:
        for instance in (app.web, *app.workers):
            for mount in instance.mounts:
                yield Item(f"mount:{instance.name}:{mount.path}", 3, "mount", f"/{mount.path}",
                           f"of {instance.name}, {mount.service or mount.source}")


def _application(
    app: ApplicationShape, used: Mapping[tuple[str, str], UseShape], targets: Mapping[str, str],
) -> Iterable[Item]:
    for part in _instances(app):
        yield _running(f"app:{part}", 2, "application", part, app.type, used.get(("app", part)),
                       _leads(app.web, targets))
    for worker in app.workers:
        yield _running(f"worker:{worker.name}", 2, "worker", worker.name, app.type, used.get(("worker", worker.name)),
                       _leads(worker, targets))


def _instances(app: ApplicationShape) -> tuple[str, ...]:
    return app.instances or (app.name,)


def _leads(instance: InstanceShape, targets: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    relationships = [(targets[item.target], item.name) for item in instance.relationships if item.target in targets]
    return (*relationships, *((f"mount:{instance.name}:{mount.path}", "") for mount in instance.mounts))


def _running(
    id: str, column: int, kind: str, name: str, more: str, use: UseShape | None,
    to: tuple[tuple[str, str], ...] = (),
) -> Item:
    return Item(
        id, column, kind, name, more, "runs" if use and use.containers else "away",
        use.memory_bytes // MEGABYTE * MEGABYTE if use and use.containers else None,   # else it changes all the time
        use.memory_limit_bytes if use else None, use.disk_bytes if use else None, to,
    )


def _shown(items: Sequence[Item]) -> list[Item]:
    """Routes of a hundred hosts would be a wall."""
    routes = [item for item in items if item.column == 0]
    first = [item for item in routes if item.to][:MOST_ROUTES]
    rest = len(routes) - len(first)
    more = [Item("route:more", 0, "route", f"and {rest} more", "in the table below")] if rest else []
    return [*first, *more, *(item for item in items if item.column)]


def _box(item: Item, number: int) -> Box:
    longest = LONGEST[item.column]
    name = urlsplit(item.name).netloc + urlsplit(item.name).path.rstrip("/") if "://" in item.name else item.name
    share = item.memory_bytes / item.limit_bytes if item.memory_bytes is not None and item.limit_bytes else None
    below = item.more if item.state != "away" else "does not run"
    if item.memory_bytes is not None:
        below = f"{item.more} · {item.memory_bytes // MEGABYTE} MB"
    return Box(
        item, COLUMNS[item.column] + 1, number * (HEIGHT + GAP) + 1, WIDTHS[item.column] - 2, HEIGHT,
        _short(name, longest), _short(below, longest + 4), min(1.0, share) if share is not None else None,
    )


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest - 1]}…"


def _line(one: Box, other: Box) -> str:
    y1, y2 = one.y + one.height / 2, other.y + other.height / 2
    if one.x == other.x:   # an application that needs another
        x = one.x + one.width
        return f"M{x:g} {y1:g}C{x + 30:g} {y1:g} {x + 30:g} {y2:g} {x:g} {y2:g}"
    x1, x2 = (one.x + one.width, other.x) if one.x < other.x else (one.x, other.x + other.width)
    middle = (x1 + x2) / 2
    return f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
