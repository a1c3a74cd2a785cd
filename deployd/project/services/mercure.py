"""`configuration` of Mercure (configuration format 5.4). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.service_configuration import MercureConfiguration
from deployd.project.services.kind import Found, Kind

_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.\-\[\]:]{1,255}", re.ASCII)
CONFIGURATION = Table(
    "configuration (mercure)",
    (Key("anonymous", "boolean"), Key("cors_origins", "list of origins")),
    noun="`configuration` of mercure",
)


def read(fields: Fields | None, service: Fields) -> Found:
    if fields is None:
        return Found(MercureConfiguration())
    origins = fields.get("cors_origins")
    for item in origins.items() if origins is not None else ():
        if (written := item.text()) is not None and not _ORIGIN.fullmatch(written):
            item.wrong(
                "bad-url", f"`{shown(written)}` is no origin", 'write one like "https://www.example.com", or "*"'
            )
    return Found(MercureConfiguration(fields.boolean("anonymous"), fields.texts("cors_origins")))


KIND = Kind(read, CONFIGURATION)
