"""`configuration` of RabbitMQ (configuration format 5.4). Pure."""

from __future__ import annotations

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.services.kind import Found, Kind

CONFIGURATION = Table(
    "configuration (rabbitmq)",
    (Key("vhosts", "list of names", "virtual hosts that exist", "`/`"),),
    noun="`configuration` of rabbitmq",
)


def read(fields: Fields | None, service: Fields) -> Found:
    return Found(schemas=fields.texts("vhosts") if fields else ())


KIND = Kind(read, CONFIGURATION)
