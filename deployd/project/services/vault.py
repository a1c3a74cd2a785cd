"""`configuration` of Vault: endpoints, each a list of keys with a policy (configuration format 5.4). Pure."""

from __future__ import annotations

from deployd.project.fields.keys import Key, Table
from deployd.project.fields.shape import Fields
from deployd.project.model import Endpoint, Json
from deployd.project.offered.service_defaults import Configuration

VAULT = Table(
    "configuration (vault-kms)",
    (Key("endpoints", "mapping to lists of `{policy, key, type}`", default="required"),),
    noun="`configuration` of vault-kms",
)
VAULT_KEY = Table(
    "configuration.endpoints.<name>[] (vault-kms)",
    (
        Key("policy", "`admin`, `sign`, `verify`, `encrypt`, `decrypt` or `rewrap`", default="required"),
        Key("key", "name", default="required"),
        Key("type", "`sign` or `encrypt`", default="required"),
    ),
    noun="an entry of an endpoint",
)


def read_vault(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    if fields is None or fields.require("endpoints", "name at least one endpoint") is None:
        if fields is None:
            service.require("configuration", "add `configuration: {endpoints: …}`")
        return Configuration()
    endpoints, rest = [], {}
    for name, entry in fields.entries("endpoints"):
        keys: list[Json] = []
        for item in entry.items():
            row = item.fields(VAULT_KEY)
            if row is None:
                continue
            policy, key, type_ = row.require("policy"), row.require("key"), row.require("type")
            keys.append(
                {
                    "policy": policy.one_of(("admin", "sign", "verify", "encrypt", "decrypt", "rewrap"))
                    if policy
                    else None,
                    "key": key.text() if key else None,
                    "type": type_.one_of(("sign", "encrypt")) if type_ else None,
                }
            )
        endpoints.append(Endpoint(name))
        rest[name] = keys
    return Configuration((), tuple(endpoints), {"endpoints": rest})
