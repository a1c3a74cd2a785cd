"""`configuration` of Solr: cores, their configuration as archives, endpoints (configuration format 5.4). Pure."""

from __future__ import annotations

import base64
import re

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.service import Endpoint
from deployd.project.model.service_configuration import SolrConfiguration, SolrCore
from deployd.project.services.kind import Found, Kind

CONFIGURATION = Table(
    "configuration (solr)",
    (
        Key("core_config", "archive", "4.x: the only core's configuration"),
        Key("cores", "mapping", "6 and later: `conf_dir` or `core_properties` by core"),
        Key("configsets", "mapping of archives", "shared by cores"),
        Key("endpoints", "mapping to `{core: name}`", default="`solr` on `collection1`"),
        Key("modules", "list of names", "9.9 and later"),
    ),
    noun="`configuration` of solr",
)
CORE = Table(
    "configuration.cores.<name>", (Key("conf_dir", "archive"), Key("core_properties", "text")), noun="a core"
)
ENDPOINT = Table(
    "configuration.endpoints.<name> (solr)",
    (Key("core", "name of a core", default="required"),),
    noun="an endpoint of solr",
)
BY_DEFAULT = "collection1"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}", re.ASCII)
"""As Solr allows it; it is also the name of a folder."""


def read(fields: Fields | None, service: Fields) -> Found:
    if fields is None:
        return Found(SolrConfiguration(), (BY_DEFAULT,), (Endpoint("solr", BY_DEFAULT),))
    configuration = _configuration(fields)
    cores = tuple(configuration.cores)
    endpoints = _endpoints(fields, cores)
    if not cores and not endpoints:
        return Found(configuration, (BY_DEFAULT,), (Endpoint("solr", BY_DEFAULT),))
    return Found(configuration, cores, endpoints or (Endpoint("solr", cores[0]),))


def _configuration(fields: Fields) -> SolrConfiguration:
    cores = {}
    for name, entry in fields.entries("cores"):
        _check_name(name, entry, "core")
        core = entry.fields(CORE) if not entry.is_null() else None
        cores[name] = SolrCore(_archive(core.get("conf_dir")), core.text("core_properties")) if core else SolrCore()
    sets = []
    for name, entry in fields.entries("configsets"):
        _check_name(name, entry, "configset")
        sets.append((name, _archive(entry)))
    return SolrConfiguration(
        cores=cores,
        core_config=_archive(fields.get("core_config")),
        configsets={name: archive for name, archive in sets if archive is not None},
        modules=fields.texts("modules"),
    )


def _archive(field: Field | None) -> str | None:
    """In base64, as `!archive` gives it."""
    text = field.text() if field else None
    if field is None or text is None:
        return None
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        field.wrong("not-an-archive", f"`{shown(text)}` is not an archive", "include the folder: `!archive solr/conf`")
        return None
    return text


def _check_name(name: str, entry: Field, what: str) -> None:
    if not _NAME.fullmatch(name):
        entry.wrong_name(
            "bad-name", f"`{shown(name)}` cannot be the name of a {what}", "use letters, digits, `_`, `.` and `-`"
        )


def _endpoints(fields: Fields, cores: tuple[str, ...]) -> tuple[Endpoint, ...]:
    found = []
    for name, entry in fields.entries("endpoints"):
        endpoint = entry.fields(ENDPOINT)
        field = endpoint.require("core", "say which core") if endpoint else None
        core = field.text() if field else None
        if field is not None and core is not None and core not in cores:
            field.wrong("no-such-core", f"there is no core `{shown(core)}`", "define it under `cores`")
        found.append(Endpoint(name, core))
    return tuple(found)


KIND = Kind(read, CONFIGURATION, (CORE, ENDPOINT))
