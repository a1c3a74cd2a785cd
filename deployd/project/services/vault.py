"""`configuration` of Vault: endpoints, each a list of keys with a policy (configuration format 5.4). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, cast

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import listed, shown
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
POLICIES_OF = {"sign": ("sign", "verify"), "encrypt": ("encrypt", "decrypt", "rewrap")}
NAME_HINT = "begin with a letter or digit, and use letters, digits, `_`, `.` and `-`, at most 63"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)


def read(fields: Fields | None, service: Fields) -> Found:
    if fields is None:
        service.require("configuration", "add `configuration: {endpoints: …}`")
    elif fields.require("endpoints", "name at least one endpoint") is not None:
        keys = {name: _keys(entry) for name, entry in fields.entries("endpoints") if _is_name(name, entry)}
        _check_names(fields)
        _check_types(fields, keys)
        return Found(VaultConfiguration(keys), endpoints=tuple(map(Endpoint, keys)))
    return Found(endpoints=())


def _is_name(name: str, entry: Field) -> bool:
    if _NAME.fullmatch(name):
        return True
    entry.wrong_name("bad-name", f"`{shown(name)}` cannot be the name of an endpoint", NAME_HINT)
    return False


def _check_names(fields: Fields) -> None:
    """Policies of Vault know no upper case, so one endpoint would have the rights of the other."""
    known: dict[str, str] = {}
    for name, entry in fields.entries("endpoints"):
        if (other := known.setdefault(name.lower(), name)) != name:
            entry.wrong_name("same-name", f"`{shown(name)}` differs from `{shown(other)}` by its case alone",
                             "give one of the two another name")


def _check_types(fields: Fields, keys: Mapping[str, tuple[VaultKey, ...]]) -> None:
    """A key is made once, with one type; and a policy goes with a type."""
    types: dict[str, str] = {}
    for name, entry in fields.entries("endpoints"):
        for row in keys.get(name, ()):
            if types.setdefault(row.key, row.type) != row.type:
                entry.wrong("not-allowed", f"the key `{shown(row.key)}` is of two types", "give one another name")
            elif row.policy not in ("admin", *POLICIES_OF[row.type]):
                entry.wrong("not-allowed", f"`{row.policy}` is no use for a key of type {row.type}",
                            f"it can have {listed(POLICIES_OF[row.type], 'and')}")


def _keys(endpoint: Field) -> tuple[VaultKey, ...]:
    keys = (_key(row) for item in endpoint.items() if (row := item.fields(KEY)) is not None)
    return tuple(key for key in keys if key is not None)


def _key(row: Fields) -> VaultKey | None:
    policy, key, type_ = row.require("policy"), row.require("key"), row.require("type")
    policy_name = policy.one_of(POLICIES) if policy else None
    key_name = key.text() if key else None
    if key is not None and key_name is not None and not _NAME.fullmatch(key_name):
        key.wrong("bad-name", f"`{shown(key_name)}` cannot be the name of a key", NAME_HINT)
        return None
    type_name = type_.one_of(TYPES) if type_ else None
    if policy_name is None or key_name is None or type_name is None:
        return None
    return VaultKey(policy_name, key_name, cast(Literal["sign", "encrypt"], type_name))


KIND = Kind(read, CONFIGURATION, (KEY,))
