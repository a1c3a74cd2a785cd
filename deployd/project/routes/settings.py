"""`cache`, `ssi`, `sticky` and `tls` of a route (configuration format 6.5 and 6.6). Pure."""

from __future__ import annotations

import re
from typing import Literal, cast

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.fields.patterns import check_pattern
from deployd.project.model.routes import Hsts, RouteCache, RouteTls
from deployd.project.yaml.nodes import ScalarNode

CACHE = Table(
    "cache",
    (
        Key("enabled", "boolean", default="required"),
        Key("default_ttl", "integer, seconds", "for answers that say nothing themselves", default="0"),
        Key("cookies", "list of names, `/regex/` or `*`", "cookies that make a difference", default='`["*"]`'),
        Key("headers", "list of names", "headers that make a difference", default='`["Accept", "Accept-Language"]`'),
    ),
    noun="`cache`",
)
SSI = Table("ssi", (Key("enabled", "boolean", default="required"),), noun="`ssi`")
STICKY = Table("sticky", (Key("enabled", "boolean", default="required"),), noun="`sticky`")
TLS = Table(
    "tls",
    (
        Key(
            "min_version",
            "`TLSv1.0` to `TLSv1.3`",
            "of the whole host; the router never speaks less than 1.2",
            "`TLSv1.2`",
        ),
        Key("strict_transport_security", "mapping", "HSTS, of the whole host"),
        Key(
            "client_authentication",
            "`request` or `require`",
            "of the whole host: `require` answers 403 to who has no certificate that an authority signed",
        ),
        Key(
            "client_certificate_authorities",
            "list of PEM texts",
            "for `client_authentication`; none: the usual public authorities",
            "`[]`",
        ),
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
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", re.ASCII)
MOST_KEYS = 50  # each cookie of a visitor is compared with all of them
FORBIDDEN_CACHE_HEADERS = ("accept-encoding", "connection", "proxy-authorization", "te", "upgrade")


def read_switch(field: Field | None, table: Table) -> bool:
    """`true`, or `{enabled: true}`."""
    if field is None:
        return False
    if isinstance(field.node, ScalarNode):
        return field.boolean() or False
    fields = field.fields(table)
    enabled = fields.require("enabled", "write `enabled: true` or `enabled: false`") if fields else None
    return (enabled.boolean() if enabled else None) or False


def read_cache(field: Field | None) -> RouteCache:
    """A mapping, or just `true` or `false`."""
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
    items = field.items()
    if _are_too_many(field, items):
        return default
    for item in items:
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


def _are_too_many(field: Field, items: list[Field]) -> bool:
    if len(items) <= MOST_KEYS:
        return False
    field.wrong(
        "too-many-keys", f"the list has {len(items):,} entries, at most {MOST_KEYS} are allowed",
        "name only what makes a difference",
    )
    return True


def _cookies(field: Field | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if field is None:
        return default
    items = field.items()
    if _are_too_many(field, items):
        return default
    for item in items:
        text = item.raw
        if len(text) > 2 and text[0] == text[-1] == "/":
            check_pattern(item, text[1:-1], of_key=False)
    return field.texts()


def read_tls(fields: Fields | None) -> RouteTls:
    """What the router asks of browsers and programs."""
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
        _authorities(fields.get("client_certificate_authorities")),
    )


def _authorities(field: Field | None) -> tuple[str, ...]:
    """Certificates as PEM texts; the web server would not start with anything else."""
    for item in field.items() if field else []:
        text = item.text()
        if text is not None and not _PEM.search(text):
            item.wrong(
                "not-a-certificate",
                "this is not a certificate in PEM form",
                "include the file: `!include {type: string, path: ca.pem}`",
            )
    return field.texts() if field else ()
