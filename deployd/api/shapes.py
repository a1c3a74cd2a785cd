"""What the API says, as values; each becomes JSON by `as_json`. Names are stable: programs read them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class ProjectShape:
    id: str
    title: str
    default_branch: str
    remote: str
    """Address of the repository that is fetched; empty when code is pushed to deployd itself."""
    git: str
    """Address to push to."""
    environments: int


@dataclass(frozen=True, slots=True)
class LockShape:
    """Why an environment keeps what is live: pushes are built, and wait."""

    who: str
    reason: str
    """In their own words; may be empty."""
    since: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class EnvironmentShape:
    project: str
    name: str
    branch: str
    type: str
    """`production`, `staging` or `development`."""
    state: str
    """`live`, `deploying`, `failed` (the last activity failed, what was live goes on) or `new` (nothing is live)."""
    url: str
    commit: str
    activity: int | None
    """Whose version is live."""
    since: str
    """When it became live: ISO 8601, UTC; empty when nothing is."""
    doing: int | None = None
    """The activity that waits or runs; one that is held by the lock does not count."""
    lock: LockShape | None = None
    answers: tuple[str, ...] = ()
    """What visitors get that is worse than when it became live, a sentence for each URL; seen after a way back, and
    gone when they get it no more."""
    killed: tuple[str, ...] = ()
    """Processes that the kernel killed within the last hour because their memory was full, a sentence for each part."""


@dataclass(frozen=True, slots=True)
class ActivityShape:
    id: int
    project: str
    environment: str
    branch: str
    kind: str
    commit: str
    state: str
    """`pending`, `in_progress`, `success`, `failed`, `cancelled` or `superseded`."""
    reason: str
    who: str
    how: str
    created_at: str
    started_at: str
    ended_at: str
    seconds: float | None
    waits: str = ""
    """What it waits for: a slot, memory, an undo that is stuck; or, pending, that its environment is unlocked."""


@dataclass(frozen=True, slots=True)
class FreezeShape:
    """What a freeze did."""

    held: int
    longest_wait_seconds: float
    expired: int
    left: int
    refused: int


@dataclass(frozen=True, slots=True)
class EntryShape:
    """An entry of the journal."""

    step: str
    event: str
    at: str
    said: str
    freeze: FreezeShape | None = None
    """What the freeze did that ended with it: with the switch, or undone when the deployment was reverted."""


@dataclass(frozen=True, slots=True)
class RequestShape:
    """A request of a visitor, from the access log."""

    at: str
    """When its answer was complete: ISO 8601."""
    client: str
    """Address."""
    method: str
    host: str
    path: str
    """With the query, as the client wrote it."""
    protocol: str
    status: int
    """0: the client left before there was an answer."""
    bytes: int
    """Of the answer, without its head."""
    seconds: float
    """From the first byte of the request to the last of the answer, with what it was held."""
    cache: str
    """`HIT`, `MISS`, `BYPASS` or empty."""
    referer: str
    user_agent: str
    request: str
    """Its id, as in `X-Request-Id`."""


@dataclass(frozen=True, slots=True)
class MailShape:
    """A mail that an application of an environment sent."""

    id: int
    at: str
    """When it came: ISO 8601, UTC."""
    sender: str
    """Of the envelope."""
    recipients: tuple[str, ...]
    """Who has not got it."""
    subject: str
    size_bytes: int
    state: str
    """`kept` in the box, `waits` for the relay, or `refused` by it; what the relay took is not here any more."""
    why: str
    """What the relay said last."""
    tries: int
    again_at: str
    """When it is tried again: ISO 8601, UTC; empty when it is not."""


@dataclass(frozen=True, slots=True)
class LockedShape:
    """What a lock, or its end, means for activities."""

    project: str
    environment: str
    branch: str
    lock: LockShape | None
    """None: it is unlocked."""
    activities: tuple[int, ...]
    """Locked: those that run, which a lock does not end. Unlocked: those that were held, and go on now."""


@dataclass(frozen=True, slots=True)
class OutputShape:
    """A line that a container or a cron of an environment printed."""

    time: str
    """ISO 8601 with nanoseconds, UTC: the place of the line too. `after` goes on behind it."""
    project: str
    environment: str
    app: str
    """Empty for a service."""
    kind: str
    """`app`, `web` (the web server in front of it), `worker`, `service` or `cron`."""
    name: str
    """Of the application, worker, service or cron."""
    version: int | None
    """The activity that made the version; null for a service, which outlives them."""
    stream: str
    """`stdout` or `stderr`; `output` of a cron; `deployd` for what deployd itself says."""
    text: str
    """Without commands to a terminal; secrets are masked, and a line of more than 16 KiB is cut with a mark."""


@dataclass(frozen=True, slots=True)
class PassShape:
    """An operator's pass: it shows a new version while visitors wait for it."""

    links: tuple[str, ...]
    """One for each host of the environment, in the order of the project's file; good for ten minutes."""
    ends: str
    """ISO 8601."""


@dataclass(frozen=True, slots=True)
class UseShape:
    """What an application, worker or service uses now."""

    at: str
    """When it was read: ISO 8601, UTC. `cpu_seconds` of two answers say how much of a processor it uses."""
    project: str
    environment: str
    kind: str
    """`app`, `web`, `worker`, `service`; `shared` is on disk only."""
    name: str
    """A worker's is `app--worker`."""
    containers: int
    """That run: none while it is away, two during a deployment."""
    cpu_seconds: float
    """Of processors, since its containers were started."""
    memory_bytes: int
    """That the kernel cannot give away."""
    memory_limit_bytes: int | None
    restarts: int
    """By Docker, because a container ended."""
    kills: int
    """Processes that the kernel killed for want of memory."""
    killed_at: str
    """When the last one was: ISO 8601, UTC; empty when none was since the daemon began."""
    disk_bytes: int | None
    """Mounts, or a service's data, as counted within the last minutes; null: not counted yet."""


@dataclass(frozen=True, slots=True)
class CertificateShape:
    """What a host shows over TLS."""

    host: str
    project: str
    kind: str
    """`own` (the operator's), `acme`, `local`, or `default`: the one that the router signed itself."""
    state: str
    """`valid`, `waits` (it is asked for), `refused`, or `none`."""
    ends: str
    """ISO 8601, UTC; empty when there is none."""
    why: str
    """The authority's own words, or why nobody is asked."""
    again_at: str
    """When it is asked for again: ISO 8601, UTC; empty when it is not."""


@dataclass(frozen=True, slots=True)
class ThingShape:
    """Something that housekeeping takes away."""

    kind: str
    """`slug`, `image`, `cache`, `data`, `volume`, `snapshot`, `version`, `workspace` or `log`."""
    name: str
    why: str
    size_bytes: int
    unneeded_since: str
    """When a round first saw that nobody needs it: ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class CollectShape:
    """What a round of housekeeping took away, or would take away."""

    at: str
    size_bytes: int
    disk_is_short: bool
    """What can be made again went without its time of grace."""
    things: tuple[ThingShape, ...]


@dataclass(frozen=True, slots=True)
class StatusShape:
    """What monitoring polls."""

    version: str
    state: str
    """`ok` or `degraded`; `reasons` says why."""
    reasons: tuple[str, ...]
    uptime_seconds: int
    activities: dict[str, int]
    """{`pending`, `in_progress`, `failed_last_hour`}"""
    engine: dict[str, Any]
    router: dict[str, Any]
    disk: dict[str, int]
    """{`free_mb`, `needed_mb`}"""
    collected: dict[str, Any] = field(default_factory=dict)
    """The last round of housekeeping: {`at`, `things`: {kind: how many}, `size_bytes`}; empty before the first one."""
    environments: tuple[EnvironmentShape, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class AliveShape:
    alive: bool


@dataclass(frozen=True, slots=True)
class ReadyShape:
    ready: bool
    reasons: tuple[str, ...]
    """Why no push can be taken now."""


@dataclass(frozen=True, slots=True)
class PlanShape:
    project: str
    branch: str
    lines: tuple[str, ...]
    """What would be done and why, one sentence each; those with `refused:` in front say why a push would be refused."""


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """Why something cannot be had or done."""

    code: str
    """Stable; for programs."""
    what: str
    where: str
    mend: str
    evidence: tuple[str, ...]


ROLES = ("viewer", "contributor", "admin")


def as_json(value: Any) -> Any:
    """Shapes, and tuples and lists of them, as what `json.dumps` takes."""
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    # Not `asdict`: it copies every text, and a thousand environments take ten times as long.
    if is_dataclass(value) and not isinstance(value, type):
        return {name: as_json(getattr(value, name)) for name in _names(type(value))}
    return value


@cache
def _names(shape: type) -> tuple[str, ...]:
    return tuple(item.name for item in fields(shape))
