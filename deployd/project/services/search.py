"""`configuration` of Elasticsearch and OpenSearch (configuration format 5.4). Pure."""

from __future__ import annotations

from dataclasses import replace

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.model.service_configuration import SearchConfiguration
from deployd.project.services.kind import Found, Kind

CONFIGURATION = Table(
    "configuration (elasticsearch, opensearch)",
    (
        Key("authentication", "mapping: `enabled`", "user and password for the endpoint", "`{enabled: false}`"),
        Key("plugins", "list of names", "installed at the start", "`[]`"),
    ),
    noun="`configuration` of a search engine",
)
AUTHENTICATION = Table(
    "configuration.authentication", (Key("enabled", "boolean", default="`false`"),), noun="`authentication`"
)


def read(fields: Fields | None, service: Fields) -> Found:
    return Found(_configuration(fields))


def read_enterprise(fields: Fields | None, service: Fields) -> Found:
    """The edition that always asks for a password."""
    return Found(replace(_configuration(fields), authentication=True))


def _configuration(fields: Fields | None) -> SearchConfiguration:
    if fields is None:
        return SearchConfiguration()
    authentication = fields.fields("authentication", AUTHENTICATION)
    enabled = authentication.boolean("enabled") if authentication else False
    return SearchConfiguration(enabled, fields.texts("plugins"))


KIND = Kind(read, CONFIGURATION, (AUTHENTICATION,))
ENTERPRISE = Kind(read_enterprise, CONFIGURATION, (AUTHENTICATION,))
