"""The routes file: URL patterns and where they lead (configuration format 6). Pure.

Placeholders stay: only an environment knows its hosts (`environment/routes.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.fields.patterns import pattern_size
from deployd.project.findings.spelling import guess, shown
from deployd.project.model.routes import RouteCache, RouteTemplate
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.relationship_targets import Targets, split_endpoint
from deployd.project.routes.redirects import (
    LARGEST_PATTERNS,
    MOST_PATTERNS,
    MOST_REDIRECTS,
    count_patterns,
    read_redirects,
)
from deployd.project.routes.settings import SSI, STICKY, TLS, read_cache, read_switch, read_tls
from deployd.project.routes.urls import check_url, is_url

ROUTE = Table(
    "route",
    (
        Key("type", "`upstream`, `redirect` or `proxy`", "what happens with requests", "required"),
        Key("upstream", "`application:http`", "for `upstream`: an application or a service with HTTP"),
        Key("to", "URL or route pattern", "for `redirect` (301) and `proxy`"),
        Key("primary", "boolean", "true on at most one route", "the first upstream route"),
        Key("id", "string", "unique, the same in every environment"),
        Key("attributes", "mapping of strings", "handed through to `PLATFORM_ROUTES`", "`{}`"),
        Key("redirects", "mapping", "redirects of single paths", "`{}`"),
        Key("tls", "mapping", "what the router asks of browsers and programs"),
        Key("cache", "mapping or boolean", "for `upstream`: answers that the router keeps", "enabled"),
        Key("ssi", "mapping or boolean", "for `upstream`: server side includes in HTML", "`{enabled: false}`"),
        Key("sticky", "boolean or mapping", "for `upstream`: a client stays with its instance", "`false`"),
    ),
    noun="a route",
)
TYPES = ("upstream", "redirect", "proxy")
ONLY_UPSTREAM = ("upstream", "cache", "ssi", "sticky")
MOST_ROUTES = 300  # the hosted platforms' own limit: configuration format 6.7


def read_routes(field: Field, targets: Targets) -> tuple[RouteTemplate, ...]:
    """Every route of the file, in its order."""
    entries = [] if field.is_null() else field.entries()
    if len(entries) > MOST_ROUTES:
        field.wrong(
            "too-many-routes",
            f"there are {len(entries):,} routes, at most {MOST_ROUTES} are allowed",
            "use `redirects` of one route for single paths, and wildcards for hosts",
        )
        return ()
    patterns = sum(count_patterns(entry) for _, entry in entries)
    if patterns > MOST_PATTERNS:   # said before any of them is looked at
        field.wrong(
            "too-many-patterns",
            f"{patterns:,} redirects are regular expressions, at most {MOST_PATTERNS} are allowed in all routes",
            "a request may have to be compared with each; write paths, which are looked up, or wider patterns",
        )
        return ()
    found: list[tuple[RouteTemplate, Field]] = []
    for url, entry in entries:
        usable = check_url(entry, url)
        fields = entry.fields(ROUTE)
        route = _route(url, entry, fields, targets) if fields is not None else None
        if route is not None and usable:
            found.append((route, entry))
    if not found and not entries:
        field.warn(
            "no-routes", "there is no route, so nothing is reachable", "add one, or remove the file for the default"
        )
    _check_unique(found)
    _check_redirects(found)
    _check_clients(found)
    return tuple(route for route, _ in found)


def _route(url: str, entry: Field, fields: Fields, targets: Targets) -> RouteTemplate | None:
    type_field = fields.require("type", "write `type: upstream`, `redirect` or `proxy`")
    kind = type_field.text() if type_field else None
    if type_field is not None and kind is not None and kind not in TYPES:
        type_field.wrong("not-allowed", f"`{shown(kind)}` is not a type of routes", guess(kind, TYPES))
        kind = None
    upstream = endpoint = to = None
    if kind == "upstream":
        upstream, endpoint = _upstream(fields, targets)
        _not_together(fields, ("to",), kind)
    elif kind is not None:
        to = _to(fields, kind)
        _check_loop(fields, kind, url, to)
        _not_together(fields, ONLY_UPSTREAM, kind)
    route = RouteTemplate(
        url=url,
        type=cast(Literal["upstream", "redirect", "proxy"], kind or "upstream"),
        upstream=upstream,
        endpoint=endpoint,
        to=to,
        primary=fields.maybe_boolean("primary"),
        id=fields.text("id"),
        attributes=_attributes(fields),
        redirects=read_redirects(fields.get("redirects")),
        tls=read_tls(fields.fields("tls", TLS)),
        cache=read_cache(fields.get("cache")) if kind == "upstream" else RouteCache(enabled=False),
        ssi=read_switch(fields.get("ssi"), SSI),
        sticky=read_switch(fields.get("sticky"), STICKY),
        place=entry.place,
    )
    return route if kind and (upstream or to) else None


def _upstream(fields: Fields, targets: Targets) -> tuple[str | None, str | None]:
    field = fields.require("upstream", 'say which application: `upstream: "app:http"`')
    written = field.text() if field else None
    if field is None or written is None:
        return None, None
    parts = split_endpoint(field, written, targets)
    if parts is None:
        return None, None
    endpoint = targets.endpoint_of(field, *parts, noun="route")
    service = targets.services.get(parts[0])
    if service is not None and not SERVICE_TYPES[service.kind].speaks_http:
        field.wrong(
            "not-http",
            f"`{service.name}` is `{service.type}`, which browsers cannot talk to",
            "lead the route to an application",
            related=(service.place,),
        )
        return None, None
    if service is not None and endpoint in SERVICE_TYPES[service.kind].private_endpoints:
        field.wrong(
            "not-http",
            f"`{endpoint}` of `{service.name}` shows what visitors send, their cookies too",
            f"lead the route to `{service.name}:{service.endpoints[0].name}`, and an application to this one",
            related=(service.place,),
        )
        return None, None
    return (parts[0], endpoint) if endpoint else (None, None)


def _to(fields: Fields, kind: str) -> str | None:
    field = fields.require("to", f"say where the {kind} leads")
    written = field.text() if field else None
    if field is None or written is None:
        return None
    if not is_url(written.strip()):
        field.wrong("bad-url", f"`{shown(written)}` is not a URL", 'write one like "https://www.{default}/"')
        return None
    return written.strip()


def _check_loop(fields: Fields, kind: str, url: str, to: str | None) -> None:
    field = fields.get("to")
    if field is not None and to is not None and kind == "redirect" and to.rstrip("/") == url.rstrip("/"):
        field.wrong("redirect-loop", "the redirect leads to itself", "lead it elsewhere, or make it an `upstream`")


def _not_together(fields: Fields, names: Sequence[str], kind: str) -> None:
    for name in names:
        field = fields.get(name)
        if field is not None:
            field.wrong_name(
                "not-together",
                f"`{name}` has no meaning on a route of type `{kind}`",
                f"remove `{name}`, or change the type",
            )


def _attributes(fields: Fields) -> dict[str, str]:
    found = {}
    for name, value in fields.entries("attributes"):
        text = value.text()
        if text is not None:
            found[name] = text
    return found


def _check_clients(found: list[tuple[RouteTemplate, Field]]) -> None:
    """Certificates are asked for before a path is known, so the routes of a host must agree whose they trust."""
    first: dict[str, tuple[RouteTemplate, Field]] = {}
    for route, field in found:
        tls = route.tls
        if not route.url.startswith("https://") or tls.client_authentication is None:
            continue
        host = route.url.removeprefix("https://").partition("/")[0].lower()
        other, place = first.setdefault(host, (route, field))
        if (other.tls.client_authentication, other.tls.client_certificate_authorities) != (
            tls.client_authentication, tls.client_certificate_authorities,
        ):
            field.wrong_name(
                "not-together",
                f"two routes of `{shown(host)}` ask for different client certificates, and TLS knows only the host",
                "say the same on both routes, or give one of them a host of its own",
                related=(place.place,),
            )


def _check_unique(found: list[tuple[RouteTemplate, Field]]) -> None:
    urls: dict[str, Field] = {}
    ids: dict[str, Field] = {}
    primary: Field | None = None
    for route, field in found:
        if route.url.startswith("https://*."):
            field.warn_name(
                "wildcard-certificate",
                f"no certificate is made by itself for `{shown(route.url)}`, as it needs a wildcard certificate",
                "give the router a certificate for these hosts",
            )
        scheme, _, rest = route.url.partition("://")
        host, _, path = rest.partition("/")
        url = f"{scheme}://{host.lower()}/{path}"
        if url in urls:
            field.wrong_name(
                "same-route",
                f"the route `{shown(route.url)}` is here twice, with and without a slash at the end",
                "keep one of the two",
                related=(urls[url].place,),
            )
        urls.setdefault(url, field)
        if route.id is not None and route.id in ids:
            field.wrong_name(
                "same-id",
                f"two routes have the id `{shown(route.id)}`",
                "give each route an id of its own",
                related=(ids[route.id].place,),
            )
        if route.id is not None:
            ids.setdefault(route.id, field)
        if route.primary:
            if primary is not None:
                field.wrong_name(
                    "two-primary", "two routes are `primary: true`", "keep it on one of them", related=(primary.place,)
                )
            primary = field


def _check_redirects(found: list[tuple[RouteTemplate, Field]]) -> None:
    rules = [rule for route, _ in found for rule in route.redirects]
    redirects, size = len(rules), sum(pattern_size(rule.path) for rule in rules if rule.regexp)
    if size > LARGEST_PATTERNS:
        found[0][1].wrong_name(
            "too-many-patterns",
            f"the regular expressions of all redirects have about {size:,} bytes when they are compiled, "
            f"at most {LARGEST_PATTERNS:,} are allowed",
            "repeat less in them (`{1,1000}` is written out a thousand times), or have fewer",
        )
    if redirects > MOST_REDIRECTS:
        found[0][1].wrong_name(
            "too-many-redirects",
            f"there are {redirects:,} redirect rules, at most {MOST_REDIRECTS:,} are allowed",
            "use patterns for groups of paths",
        )
