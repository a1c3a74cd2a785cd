"""What has output in an environment: its containers, those that went and of which it was kept, and runs of crons."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from deployd.engine.names import ACTIVITY, PART, ROLE
from deployd.engine.observed import ContainerSeen

OF_APPLICATIONS = frozenset({"app", "web"})
ROLES = OF_APPLICATIONS | {"worker", "service"}
CRON = "cron"
ABOUT = "about.json"
LOG = "log"


@dataclass(frozen=True, slots=True)
class Source:
    """Something that prints."""

    id: str
    """Of its container; for a cron its file's name."""
    log: Path
    kind: str
    """`app`, `web` (the web server of an application), `worker`, `service` or `cron`."""
    app: str
    """The application that it belongs to; empty for a service."""
    name: str
    version: int | None
    """The activity that made it; None for a service, which outlives them, and for a cron, whose runs say it."""
    grows: bool = True
    """Its container is there."""


@dataclass(frozen=True, slots=True)
class OutputFilter:
    """What a reader wants to see: of all that is named here; nothing is named: everything.

    Of a version: what its applications and workers print.
    """

    app: str = ""
    worker: str = ""
    service: str = ""
    cron: str = ""
    version: int | None = None

    def has(self, source: Source) -> bool:
        if self.version not in (None, source.version):
            return False
        if not (self.app or self.worker or self.service or self.cron):
            return True
        match source.kind:
            case "worker":
                return self.worker in (source.name, f"{source.app}--{source.name}")
            case "service":
                return self.service == source.name
            case "cron":
                return self.cron == source.name
            case _:
                return self.app in (source.app, source.name)


def source_of(container: ContainerSeen, log: Path) -> Source | None:
    """None for containers whose output is told elsewhere, as a build's is."""
    role, part = container.labels.get(ROLE, ""), container.labels.get(PART, "")
    if role not in ROLES:
        return None
    app, _, name = part.partition("--") if role == "worker" else (part.partition(".")[0], "", part)
    activity = container.labels.get(ACTIVITY, "")
    version = int(activity) if activity.isdecimal() else None
    return Source(container.id, log, role, "" if role == "service" else app, name, version)


def write_about(source: Source) -> bytes:
    """What is kept beside the output of a container that goes."""
    return json.dumps({**asdict(source), "log": LOG}).encode()


def kept_sources(folder: Path) -> Iterator[Source]:
    """What is kept of containers that went. Blocking."""
    for about in folder.glob(f"*/{ABOUT}"):
        try:
            values = json.loads(about.read_bytes())
            yield Source(**{**values, "log": about.with_name(LOG), "grows": False})
        except (OSError, ValueError, TypeError):
            continue   # it is being taken away


def cron_sources(folder: Path) -> Iterator[Source]:
    """Crons that ran. Blocking."""
    for file in folder.glob("*.log"):
        app, name = _whose(file)
        yield Source(file.name, file, CRON, app, name, None)


def _whose(file: Path) -> tuple[str, str]:
    """(application, cron); records of an earlier deployd do not say it."""
    try:
        with file.open("rb") as found:
            first = json.loads(found.readline())
        return str(first["app"]), str(first["cron"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", file.stem


def distinct(sources: Iterable[Source]) -> list[Source]:
    """Each once, the first of them: what is kept of a container lies there before the container goes."""
    found: dict[str, Source] = {}
    for source in sources:
        found.setdefault(source.id, source)
    return list(found.values())
