"""Which versions of a service keep their data when it becomes another one, by what its makers say of them. Pure.

Forwards is the rule; a kind with another one has a row in `UPGRADES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deployd.project.offered.services import SERVICE_TYPES, WITHOUT_CONTAINER


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How far the data of a kind go in one step."""

    stations: tuple[str, ...] = ()
    """Versions, oldest first, that have to run on the data of an older one before a newer one may."""
    same_major: bool = False
    """Another major version does not read them."""
    way: str = ""
    """What to do instead, where there is more to say than which version is next."""


BESIDE = "give the newer one a new name beside the old one, copy in an application's shell ({how}), remove the old one"
POSTGRESQL = BESIDE.format(how="`pg_dump … | psql …`; docs/services.md says how")
REINDEX = BESIDE.format(how="index anew")
_MONGODB = ("3.0", "3.2", "3.4", "3.6", "4.0", "4.2", "4.4", "5.0", "6.0", "7.0", "8.0")

UPGRADES: Mapping[str, Upgrade] = {
    "oracle-mysql": Upgrade(("5.7", "8.0", "8.4", "9.7")),
    "postgresql": Upgrade(same_major=True, way=POSTGRESQL),
    "rabbitmq": Upgrade(("3.7", "3.8", "3.10", "3.11", "3.13", "4.0")),   # each wants feature flags of the one before
    "mongodb": Upgrade(_MONGODB),
    "mongodb-enterprise": Upgrade(_MONGODB),
    "influxdb": Upgrade(same_major=True, way=BESIDE.format(how="export and write")),
    "elasticsearch": Upgrade(same_major=True, way=REINDEX),
    "elasticsearch-enterprise": Upgrade(same_major=True, way=REINDEX),
    "solr": Upgrade(same_major=True, way=REINDEX),
}
ANY_NEWER = Upgrade()


def why_data_are_lost(name: str, before: str, after: str) -> str | None:
    """Why a service that is called so cannot become what it is to be and keep its data; None when it can.

    Args:
        before, after: `mariadb:10.11`, normalised.
    """
    old_kind, _, old = before.partition(":")
    new_kind, _, new = after.partition(":")
    known = SERVICE_TYPES.get(old_kind)
    if before == after or (known is not None and known.least_disk_mb is None):
        return None   # what is only in memory goes with each container
    if old_kind != new_kind:
        return (f"the service {name} cannot change from {before} to {after} and keep its data: "
                "give the new one a new name")
    if old_kind in WITHOUT_CONTAINER:
        return None   # files, whatever the version
    if numbers(new) < numbers(old):
        return (f"the service {name} cannot go back from {before} to {after}: "
                "its data are in the newer format; give the older one a new name")
    return _too_far(name, old_kind, old, new)


def _too_far(name: str, kind: str, old: str, new: str) -> str | None:
    rule = UPGRADES.get(kind, ANY_NEWER)
    said = f"the service {name} cannot go from {kind}:{old} to {kind}:{new} and keep its data: "
    if rule.same_major and numbers(new)[:1] != numbers(old)[:1]:
        return f"{said}another major version does not read them; {rule.way}"
    between = [item for item in rule.stations if numbers(old) < numbers(item) < numbers(new)]
    if between:
        return (f"{said}its makers want {kind}:{between[0]} to run on them in between, one version after the other; "
                f"{BESIDE.format(how='dump and restore')}")
    return None


def numbers(version: str) -> tuple[int, ...]:
    """(10, 11) of `10.11`"""
    return tuple(int(part) for part in re.findall(r"\d+", version))
