"""nginx.conf of the router from the operator's settings. Pure: the template's text goes in, the file's text comes out.

Routes are not in it. It changes only with the settings or with a new version of deployd.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath

import jinja2

from deployd.router.paths import RouterPlaces


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """What nginx.conf depends on."""

    visitors: bool = True
    """Listen for visitors. A router that another one has taken over from does not: it ends what it has."""
    address: str = "0.0.0.0"
    http_port: int = 80
    https_port: int | None = None
    certificate: PurePosixPath | None = None
    """PEM file of the certificate for hosts that have none of their own, chain included; with `certificate_key`."""
    certificate_key: PurePosixPath | None = None
    workers: int | None = None
    """None: one for each core."""
    max_held: int = 10_000
    freeze_seconds: int = 60
    """How long a request may be held."""
    pace: int = 64
    stalled_seconds: int = 10
    """After so long without an answer, the places of a paced release count as free again."""
    read_seconds: int = 300
    """Longest silence of an application before its request is given up."""
    body_seconds: int = 60
    """Longest silence of a client in the midst of a body before it is let go."""
    shutdown_seconds: int = 600
    """How long the workers from before a reload may finish what they have."""
    http3: bool = False
    """Answer HTTP/3 too, over UDP on the port of https."""
    access_log: bool = True
    """Write a line for each request; see `RouterPlaces.access_log`."""
    client_requests_per_second: int | None = None
    """What one address may ask for, over all environments; None: no limit."""
    client_burst: int = 100
    """Requests beyond that rate that are still answered."""
    client_connections: int | None = None
    """Requests of one address at the same time; each stream of HTTP/2 counts."""
    client_exempt: tuple[str, ...] = ()
    """Networks that are not limited."""
    cache_mb: int = 256
    """Answers of applications that are kept, in the run folder."""
    projects: tuple[str, ...] = ()
    """Those that have a share of the cache for themselves; the others have one together."""
    project_requests: int = 4096
    """Of one project, under way at once."""
    project_routes_mb: int = 16
    """What the routes of one project may take."""
    routes_mb: int = 128
    """Memory for all routes; see `routes_memory_mb`."""
    holds_mb: int = 32

    @property
    def tls(self) -> bool:
        return self.https_port is not None and self.certificate is not None and self.certificate_key is not None


MOST_CACHES = 100
KEYS_MB = 16
"""Of all caches together: some 8,000 keys have room in one."""
ROUTES_UNDER_WAY = 5
"""Shares for what is there twice: earlier routes, and those that operators see, in deployments that go on."""
CONNECTIONS = 16_384
"""Of each worker; nginx takes some 0.4 KB for each when it starts."""
KEEPALIVE_SECONDS = 75
"""How long a connection may be idle."""
ALIVE = "60s:60s:30"
"""When the kernel asks clients of which nothing is heard: after a minute, then each minute, 30 times till it gives up.
So nothing between forgets who is held for minutes. Surprise: of thousands that came at once all are asked at once, and
what does not fit into the kernel's queue is lost (1,000 packets on loopback): of 10,000 held clients 1,995 were given
up after six such questions. The long count is what keeps them."""
BACKLOG = 4096
"""Connections that wait to be accepted: thousands of clients may come at once. The kernel's somaxconn bounds it."""

TEXT_TYPES = (
    "application/atom+xml", "application/javascript", "application/json", "application/ld+json",
    "application/manifest+json", "application/rss+xml", "application/wasm", "application/x-javascript",
    "application/xhtml+xml", "application/xml", "font/otf", "font/ttf", "image/bmp", "image/svg+xml", "image/x-icon",
    "text/css", "text/csv", "text/javascript", "text/plain", "text/xml",
)
"""What is compressed besides HTML; images, videos, archives and `text/event-stream` are not."""


LUA_VARIABLES = (
    "environment", "route", "hsts", "client_verify", "client_dn", "client_certificate", "cache", "key", "ttl", "to",
    "container", "id", "cut", "target", "outside_host", "outside_uri", "parts", "project", "room", "zone",
)
"""What Lua says of a request in nginx's variables, each with `deployd_` in front."""
HIDDEN_VARIABLES = (
    "hostname", "nginx_version", "pid", "document_root", "realpath_root", "request_filename", "server_addr",
    "connection", "connection_requests", "proxy_host", "proxy_port", "upstream_addr", "upstream_cache_status",
    "upstream_http_x_accel_expires",
)
"""Variables of nginx itself that say something of the router and not of the request: pages do not see them either."""
OWN_VARIABLE = re.compile(r"\$(deployd_[a-z_]+[a-z])")


def routes_memory_mb(projects: int, share_mb: int) -> int:
    """Memory with which each project surely has its share. A power of two: when it changes, nginx forgets all routes.

    Pages of it that nobody has written to cost nothing.
    """
    needed = (projects + ROUTES_UNDER_WAY) * share_mb * 5 // 4   # some of it is lost between pieces of different sizes
    return max(64, 1 << (needed - 1).bit_length())


def render_nginx(template: str, config: RouterConfig, places: RouterPlaces, folder: PurePath) -> str:
    """nginx.conf, complete.

    Args:
        template: Text of config/router/nginx.conf.j2.
        places: Of the seat that the router has.
        folder: The one with lua/ and pages/, beside the rendered file.
    """
    environment = jinja2.Environment(
        autoescape=False,  # nginx.conf is not HTML; every value is a number, an address or a path of ours
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True,
    )
    caches = config.projects[:MOST_CACHES]
    own = [*(f"deployd_{name}" for name in LUA_VARIABLES), *OWN_VARIABLE.findall(template)]
    return environment.from_string(template).render(
        run=places.folder, own=places.own, taken=places.taken, socket=places.own_socket, config=folder,
        pass_key=places.pass_key,
        address=f"[{config.address}]" if ":" in config.address else config.address,
        http_port=config.http_port, https_port=config.https_port, tls=config.tls,
        visitors=config.visitors,
        schemes=("http", "https") if config.tls and config.visitors else ("http",),
        certificate=config.certificate, certificate_key=config.certificate_key,
        host_header="$host" if _usual_ports(config) else "$host:$server_port",
        workers=config.workers, max_held=config.max_held, pace=config.pace, stalled_seconds=config.stalled_seconds,
        read_seconds=config.read_seconds, body_seconds=config.body_seconds,
        shutdown_seconds=config.shutdown_seconds, keep_seconds=config.shutdown_seconds // 2,
        routes_mb=config.routes_mb, holds_mb=config.holds_mb,
        connections=CONNECTIONS, backlog=BACKLOG, alive=ALIVE,
        projects=caches, cache_share_mb=max(1, config.cache_mb // max(1, len(caches))),
        cache_keys_mb=max(1, KEYS_MB // max(1, len(caches))),
        project_requests=config.project_requests, project_routes_mb=config.project_routes_mb,
        behind_cache=places.behind / "cache.sock",
        text_types=" ".join(TEXT_TYPES),
        lua_variables=LUA_VARIABLES,
        hidden=sorted({*HIDDEN_VARIABLES, *own}),
        http3=config.http3 and config.tls, quiet_seconds=max(KEEPALIVE_SECONDS, config.freeze_seconds + 15),
        access_log=places.access_log if config.access_log else None,
        client_requests=config.client_requests_per_second, client_burst=config.client_burst,
        client_connections=config.client_connections, client_exempt=config.client_exempt,
    )


def _usual_ports(config: RouterConfig) -> bool:
    return config.http_port == 80 and (not config.tls or config.https_port == 443)
