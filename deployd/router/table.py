"""What the router knows of an environment, as values: routes, targets, and what a freeze did. Pure.

`render.py` turns these into the JSON of the control socket; the Lua side in config/router/ reads exactly that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from deployd.project.model import PathRedirect, RouteCache, RouteTls

NO_CACHE, PLAIN_TLS = RouteCache(enabled=False), RouteTls()


@dataclass(frozen=True, slots=True)
class Target:
    """Where the requests of a route go."""

    address: str
    """IP address of a web container (or of a service)."""
    port: int
    token: str = ""
    """Name of the container that must own the address; empty for a host outside."""


@dataclass(frozen=True, slots=True)
class Route:
    """One resolved URL prefix of one host."""

    scheme: Literal["http", "https"]
    host: str
    """Lower case; `*.example.com` matches any subdomain."""
    path: str
    """Prefix with leading slash; the longest match wins."""
    type: Literal["upstream", "redirect", "proxy"]
    targets: tuple[Target, ...] = ()
    to: str | None = None
    """Redirects and proxies: absolute URL."""
    original_url: str = ""
    redirects: tuple[PathRedirect, ...] = ()
    cache: RouteCache = NO_CACHE
    ssi: bool = False
    sticky: bool = False
    tls: RouteTls = PLAIN_TLS


@dataclass(frozen=True, slots=True)
class AddressRule:
    allow: bool
    network: str
    """In CIDR: `192.0.2.0/24`, `::/0`."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see an environment."""

    users: Mapping[str, str] = field(default_factory=dict)
    """{name: password, hashed as crypt(5) says}; none: no password is asked for."""
    rules: tuple[AddressRule, ...] = ()
    """The first that fits counts. When one allows somebody, who fits none is kept out."""


@dataclass(frozen=True, slots=True)
class Asleep:
    """Nobody answers in an environment until a visitor wakes it."""

    hold_seconds: float
    """How long whoever wakes it is held, before a page says that it takes longer."""
    quiet_seconds: float = 0.0
    """From now on so long nobody wakes it: it could not be woken just now."""


@dataclass(frozen=True, slots=True)
class RouteSet:
    """All routes of one environment; replaced as a whole, in one atomic step."""

    environment: str
    """`<project>/<environment>`."""
    version: str
    """Which activity's containers these routes reach; part of every answer of the control socket."""
    routes: tuple[Route, ...]
    robots: bool = False
    """False: every answer carries `X-Robots-Tag: noindex, nofollow`."""
    access: Access | None = None
    """None: everybody may see it."""
    within: Mapping[str, str] = field(default_factory=dict)
    """{host: the domain beyond which its cookies do not go}; other hosts may set cookies as they like."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    """What they were made from, in one text that the router keeps; empty: it cannot be told."""
    asleep: Asleep | None = None
    """None: it is awake."""


@dataclass(frozen=True, slots=True)
class Released:
    """What a freeze did, told when it ends."""

    held: int = 0
    """Requests that had waited and were released."""
    longest_seconds: float = 0.0
    expired: int = 0
    """Requests that got the maintenance page because the freeze was over."""
    left: int = 0
    """Requests whose clients went away while waiting."""
    refused: int = 0
    """Requests over the bound of held ones, answered 503 at once."""

    def __add__(self, other: Released) -> Released:
        """What it did in two routers, of which one took over from the other meanwhile."""
        return Released(
            self.held + other.held, max(self.longest_seconds, other.longest_seconds), self.expired + other.expired,
            self.left + other.left, self.refused + other.refused,
        )


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze that is on."""

    seconds_left: float
    """Until the router ends it by itself."""
    again: bool = False
    """The environment was frozen already; this is the rest of that freeze."""


@dataclass(frozen=True, slots=True)
class EnvironmentTraffic:
    """What the router knows of one environment."""

    version: str
    """"": no routes, only held hosts."""
    frozen: bool
    seconds_left: float
    maintenance: bool
    """Visitors see the maintenance page: it was asked for, or a freeze is over its time."""
    held_now: int
    freeze: Released
    """Figures of the freeze that is on, or of the last one."""
    origin: str = ""
    """As the routes' set said."""
    asleep: bool = False
    """The next visitor wakes it, or has done so: then it is frozen too."""

    def with_earlier(self, earlier: EnvironmentTraffic | None) -> EnvironmentTraffic:
        if earlier is None:
            return self
        return replace(self, held_now=self.held_now + earlier.held_now, freeze=self.freeze + earlier.freeze)


@dataclass(frozen=True, slots=True)
class Sleepers:
    """Whom visitors want to have woken."""

    number: int
    """Another one as soon as somebody else is wanted."""
    environments: tuple[str, ...]
    """`<project>/<environment>` of all in which somebody waits for that, or has waited."""


@dataclass(frozen=True, slots=True)
class RouterStatus:
    """What `/status` and the metrics of the daemon show of the router."""

    generation: int
    """Grows with every change."""
    started: int
    """Unix time in milliseconds at which nginx started; another one than before: put everything back."""
    complete: bool
    free_bytes: int
    """Of the memory for routes."""
    environments: Mapping[str, EnvironmentTraffic]
    held_now: int
    released: int
    expired: int
    left: int
    refused: int
    """These four: since nginx started."""
    longest_seconds: float = 0.0
    """The longest wait in freezes in which somebody waits now."""
    configuration: str = ""
    """Folder of the configuration that nginx runs with."""

    def with_earlier(self, earlier: RouterStatus) -> RouterStatus:
        """With the figures of the router that this one took over from, which still ends what it has."""
        return replace(
            self,
            environments={
                name: traffic.with_earlier(earlier.environments.get(name))
                for name, traffic in self.environments.items()
            },
            held_now=self.held_now + earlier.held_now,
            released=self.released + earlier.released, expired=self.expired + earlier.expired,
            left=self.left + earlier.left, refused=self.refused + earlier.refused,
            longest_seconds=max(self.longest_seconds, earlier.longest_seconds),
        )
