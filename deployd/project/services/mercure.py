"""`configuration` of Mercure (configuration format 5.4). Pure."""

from __future__ import annotations

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.model.service_configuration import MercureConfiguration
from deployd.project.services.kind import Found, Kind

CONFIGURATION = Table(
    "configuration (mercure)",
    (Key("anonymous", "boolean"), Key("cors_origins", "list of origins")),
    noun="`configuration` of mercure",
)


def read(fields: Fields | None, service: Fields) -> Found:
    if fields is None:
        return Found(MercureConfiguration())
    return Found(MercureConfiguration(fields.boolean("anonymous"), fields.texts("cors_origins")))


KIND = Kind(read, CONFIGURATION)
