"""The routes file: URL patterns and where they lead (configuration format 6). Pure.

Placeholders stay: only an environment knows its hosts (`environment/hosts.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, cast

from deployd.project.keys import Key, Table
from deployd.project.model import Hsts, RouteCache, RouteTemplate, RouteTls
from deployd.project.patterns import pattern_problem
from deployd.project.redirects import MOST_REDIRECTS, read_redirects
from deployd.project.relationships import split_endpoint
from deployd.project.shape import Field, Fields
from deployd.project.spelling import guess, nearest, shown
from deployd.project.targets import Targets
from deployd.project.yaml_nodes import ScalarNode

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
        Key("tls", "mapping", "versions, HSTS, client certificates"),
        Key("cache", "mapping or boolean", "for `upstream`", "enabled"),
        Key("ssi", "mapping or boolean", "for `upstream`: server side includes", "`{enabled: false}`"),
        Key("sticky", "boolean or mapping", "for `upstream`: a client stays with its instance", "`false`"),
    ),
    noun="a route",
)
CACHE = Table(
    "cache",
    (
        Key("enabled", "boolean", default="required"),
        Key("default_ttl", "integer, seconds", default="0"),
        Key("cookies", "list of names, `/regex/` or `*`", default='`["*"]`'),
        Key("headers", "list of names", default='`["Accept", "Accept-Language"]`'),
    ),
    noun="`cache`",
)
SSI = Table("ssi", (Key("enabled", "boolean", default="required"),), noun="`ssi`")
STICKY = Table("sticky", (Key("enabled", "boolean", default="required"),), noun="`sticky`")
TLS = Table(
    "tls",
    (
        Key("min_version", "`TLSv1.0` to `TLSv1.3`"),
        Key("strict_transport_security", "mapping", "HSTS"),
        Key("client_authentication", "`request` or `require`"),
        Key("client_certificate_authorities", "list of PEM texts", default="`[]`"),
    ),
    noun="`tls`",
)
HSTS = Table(
    "tls.strict_transport_security",
    (
        Key("enabled", "boolean", "for one year"),
        Key("include_subdomains", "boolean"),
        Key("preload", "boolean"),
    ),
    noun="`strict_transport_security`",
)
TYPES = ("upstream", "redirect", "proxy")
ONLY_UPSTREAM = ("upstream", "cache", "ssi", "sticky")
FORBIDDEN_CACHE_HEADERS = ("accept-encoding", "connection", "proxy-authorization", "te", "upgrade")
MOST_ROUTES = 300  # the hosted platforms' own limit: configuration format 6.7
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.ASCII)
_HOST = re.compile(
    r"(\*\.)?([a-z0-9_-]+\.)*(\{default\}|\{all\}|[a-z0-9]([a-z0-9-]*[a-z0-9])?)", re.ASCII | re.IGNORECASE
)


def read_routes(field: Field, targets: Targets) -> tuple[RouteTemplate, ...]:
    """Every route of the file, in its order."""
    if field.is_null():
        return ()
    entries = field.entries()
    if len(entries) > MOST_ROUTES:
        field.wrong(
            "too-many-routes",
            f"there are {len(entries):,} routes, at most {MOST_ROUTES} are allowed",
            "use `redirects` of one route for single paths, and wildcards for hosts",
        )
        return ()
    found: list[tuple[RouteTemplate, Field]] = []
    for url, entry in entries:
        usable = check_url(entry, url)
        fields = entry.fields(ROUTE)
        route = _route(url, entry, fields, targets) if fields is not None else None
        if route is not None and usable:
            found.append((route, entry))
    _check_together(found)
    return tuple(route for route, _ in found)


def check_url(field: Field, url: str) -> bool:
    """Whether a key of the routes file is a URL pattern."""
    parts = _URL.fullmatch(url)
    if parts is None:
        field.wrong_name(
            "scheme-missing",
            f"the route `{shown(url)}` does not begin with `https://` or `http://`",
            f'write "https://{shown(url).lstrip("/")}"',
        )
        return False
    host, path = parts["host"], parts["path"]
    if parts["scheme"] not in ("http", "https"):
        field.wrong_name(
            "bad-url", f"`{shown(parts['scheme'])}` is not a scheme of routes", "begin with `https://` or `http://`"
        )
    elif re.search(r":\d+$", host):
        field.wrong_name(
            "port-not-allowed",
            f"the route `{shown(url)}` has a port, routes are on 80 and 443 only",
            f'write "{parts["scheme"]}://{shown(host.rsplit(":", 1)[0] + path)}"',
        )
    elif "{" in host and not re.search(r"\{(default|all)\}", host):
        word = re.search(r"\{([^}]*)", host)
        near = nearest(word[1], ("default", "all")) if word else None
        field.wrong_name(
            "bad-placeholder",
            f"the route `{shown(url)}` has a placeholder that does not exist",
            f"did you mean `{{{near}}}`?" if near else "there are `{default}` and `{all}`",
        )
    elif not _HOST.fullmatch(host) or len(host) > 253:
        field.wrong_name(
            "bad-url",
            f"`{shown(host)}` is not a host" if host else f"the route `{shown(url)}` has no host",
            "write a host name, `{default}` or `{all}`, with `*.` in front at most",
        )
    elif (
        parts["rest"]
        or any(character in path for character in "{}*^$()[]\\\"' ")
        or any(ord(character) < 33 for character in path)
    ):
        field.wrong_name(
            "bad-url",
            f"`{shown(path + parts['rest'])}` is not a plain path",
            "a path is a prefix, without `?`, `#` and regular expressions",
        )
    else:
        return True
    return False


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
        tls=_tls(fields.fields("tls", TLS)),
        cache=_cache(fields.get("cache")) if kind == "upstream" else RouteCache(enabled=False),
        ssi=_switch(fields.get("ssi"), SSI),
        sticky=_switch(fields.get("sticky"), STICKY),
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
    return (parts[0], endpoint) if endpoint else (None, None)


def _to(fields: Fields, kind: str) -> str | None:
    field = fields.require("to", f"say where the {kind} leads")
    written = field.text() if field else None
    if field is None or written is None:
        return None
    if not re.fullmatch(r"https?://[^\s/]+[^\s]*", written.strip(), re.ASCII):
        field.wrong("bad-url", f"`{shown(written)}` is not a URL", 'write one like "https://www.{default}/"')
        return None
    return written.strip()


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


def _switch(field: Field | None, table: Table) -> bool:
    """`true`, or `{enabled: true}`."""
    if field is None:
        return False
    if isinstance(field.node, ScalarNode):
        return field.boolean() or False
    fields = field.fields(table)
    enabled = fields.require("enabled", "write `enabled: true` or `enabled: false`") if fields else None
    return (enabled.boolean() if enabled else None) or False


def _cache(field: Field | None) -> RouteCache:
    if field is None:
        return RouteCache()
    if isinstance(field.node, ScalarNode):
        value = field.boolean()
        return RouteCache(enabled=value is not False)
    fields = field.fields(CACHE)
    if fields is None:
        return RouteCache()
    enabled = fields.require("enabled", "write `enabled: true` or `enabled: false`")
    ttl = fields.integer("default_ttl", 0, 10 * 31_536_000, "seconds")
    default = RouteCache()
    return RouteCache(
        (enabled.boolean() if enabled else None) is not False,
        ttl or 0,
        _cache_headers(fields.get("headers"), default.headers),
        _cookies(fields.get("cookies"), default.cookies),
    )


def _cache_headers(field: Field | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if field is None:
        return default
    for item in field.items():
        name = item.raw.lower()
        if name in ("cookie", "cookies"):
            item.wrong(
                "not-allowed", "`Cookie` cannot be a header of the cache's key", "list the cookies under `cookies`"
            )
        elif name in FORBIDDEN_CACHE_HEADERS:
            item.wrong(
                "not-allowed",
                f"`{item.raw}` cannot be a header of the cache's key",
                "remove it: it says nothing about the content",
            )
    return field.texts()


def _cookies(field: Field | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if field is None:
        return default
    for item in field.items():
        text = item.raw
        if len(text) > 2 and text[0] == text[-1] == "/":
            problem = pattern_problem(text[1:-1][:4000])
            if problem:
                item.wrong("bad-pattern", problem[0], problem[2])
    return field.texts()


def _tls(fields: Fields | None) -> RouteTls:
    if fields is None:
        return RouteTls()
    version, client = fields.get("min_version"), fields.get("client_authentication")
    hsts = fields.fields("strict_transport_security", HSTS)
    authentication = client.one_of(("request", "require")) if client else None
    return RouteTls(
        version.one_of(("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")) if version else None,
        Hsts(hsts.maybe_boolean("enabled"), hsts.maybe_boolean("include_subdomains"), hsts.maybe_boolean("preload"))
        if hsts
        else Hsts(),
        cast(
            Literal["request", "require"] | None, authentication if authentication in ("request", "require") else None
        ),
        fields.texts("client_certificate_authorities"),
    )


def _check_together(found: list[tuple[RouteTemplate, Field]]) -> None:
    urls: dict[str, Field] = {}
    ids: dict[str, Field] = {}
    primary: Field | None = None
    redirects = 0
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
        redirects += len(route.redirects)
    if redirects > MOST_REDIRECTS:
        found[0][1].wrong_name(
            "too-many-redirects",
            f"there are {redirects:,} redirect rules, at most {MOST_REDIRECTS:,} are allowed",
            "use patterns for groups of paths",
        )
