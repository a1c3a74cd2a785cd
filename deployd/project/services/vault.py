"""`configuration` of Vault: endpoints, each a list of keys with a policy (configuration format 5.4). Pure."""

from __future__ import annotations

from typing import Literal, cast

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.model.service import Endpoint
from deployd.project.model.service_configuration import VaultConfiguration, VaultKey
from deployd.project.services.kind import Found, Kind

CONFIGURATION = Table(
    "configuration (vault-kms)",
    (Key("endpoints", "mapping to lists of `{policy, key, type}`", default="required"),),
    noun="`configuration` of vault-kms",
)
KEY = Table(
    "configuration.endpoints.<name>[] (vault-kms)",
    (
        Key("policy", "`admin`, `sign`, `verify`, `encrypt`, `decrypt` or `rewrap`", default="required"),
        Key("key", "name", default="required"),
        Key("type", "`sign` or `encrypt`", default="required"),
    ),
    noun="an entry of an endpoint",
)
POLICIES = ("admin", "sign", "verify", "encrypt", "decrypt", "rewrap")
TYPES = ("sign", "encrypt")


def read(fields: Fields | None, service: Fields) -> Found:
    if fields is None:
        service.require("configuration", "add `configuration: {endpoints: …}`")
    elif fields.require("endpoints", "name at least one endpoint") is not None:
        keys = {name: _keys(entry) for name, entry in fields.entries("endpoints")}
        return Found(VaultConfiguration(keys), endpoints=tuple(map(Endpoint, keys)))
    return Found(endpoints=())


def _keys(endpoint: Field) -> tuple[VaultKey, ...]:
    keys = (_key(row) for item in endpoint.items() if (row := item.fields(KEY)) is not None)
    return tuple(key for key in keys if key is not None)


def _key(row: Fields) -> VaultKey | None:
    policy, key, type_ = row.require("policy"), row.require("key"), row.require("type")
    policy_name = policy.one_of(POLICIES) if policy else None
    key_name = key.text() if key else None
    type_name = type_.one_of(TYPES) if type_ else None
    if policy_name is None or key_name is None or type_name is None:
        return None
    return VaultKey(policy_name, key_name, cast(Literal["sign", "encrypt"], type_name))


KIND = Kind(read, CONFIGURATION, (KEY,))
