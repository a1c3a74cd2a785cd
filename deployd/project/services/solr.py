"""`configuration` of Solr: cores, their configuration as archives, endpoints (configuration format 5.4). Pure."""

from __future__ import annotations

from deployd.project.fields.keys import Key, Table
from deployd.project.fields.shape import Fields
from deployd.project.findings.spelling import shown
from deployd.project.model import Endpoint, Json
from deployd.project.offered.service_defaults import Configuration

SOLR = Table(
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
SOLR_CORE = Table(
    "configuration.cores.<name>", (Key("conf_dir", "archive"), Key("core_properties", "text")), noun="a core"
)
SOLR_ENDPOINT = Table(
    "configuration.endpoints.<name> (solr)",
    (Key("core", "name of a core", default="required"),),
    noun="an endpoint of solr",
)


def read_solr(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    if fields is None:
        return Configuration(("collection1",), (Endpoint("solr", "collection1"),))
    rest: dict[str, Json] = {}
    cores: dict[str, Json] = {}
    for name, entry in fields.entries("cores"):
        core = entry.fields(SOLR_CORE) if not entry.is_null() else None
        texts = {key.name: core.text(key.name) for key in SOLR_CORE.keys} if core else {}
        cores[name] = {key: text for key, text in texts.items() if text is not None}
    if cores:
        rest["cores"] = cores
    if fields.get("core_config") is not None:
        rest["core_config"] = fields.text("core_config")
    if fields.get("configsets") is not None:
        rest["configsets"] = fields.json_of_names("configsets")
    if fields.get("modules") is not None:
        rest["modules"] = list(fields.texts("modules"))
    endpoints = []
    for name, entry in fields.entries("endpoints"):
        endpoint = entry.fields(SOLR_ENDPOINT)
        core_field = endpoint.require("core", "say which core") if endpoint else None
        core_name = core_field.text() if core_field else None
        if core_field is not None and core_name is not None and core_name not in cores:
            core_field.wrong("no-such-core", f"there is no core `{shown(core_name)}`", "define it under `cores`")
        endpoints.append(Endpoint(name, core_name))
    if not cores and not endpoints:
        return Configuration(("collection1",), (Endpoint("solr", "collection1"),), rest)
    if not endpoints:
        endpoints = [Endpoint("solr", next(iter(cores)))]
    return Configuration(tuple(cores), tuple(endpoints), rest)
