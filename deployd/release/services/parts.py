"""What a service's container is put together from, and the version that it announces. Pure.

A program that refuses a database by its version (as Magento 2.4.8 does with MariaDB 10.11 and 11.8) takes it when the
server says that it is the one that was asked for. Only MariaDB can say so; it does when the operator wants it
(`announce_asked_version`), and only where another version stands in.
"""

from __future__ import annotations

from dataclasses import replace

from deployd.project.model import Service
from deployd.release.services.sizes import service_size
from deployd.services.families import family_of
from deployd.services.family import Parts
from deployd.settings import ProjectSettings, Settings

CAN_ANNOUNCE = frozenset({"mariadb"})


def parts_of(settings: Settings, project: ProjectSettings, service: Service, runs: str) -> Parts:
    """
    Args:
        runs: The version that runs, `10.11`.
    """
    parts = family_of(service).parts(service, memory_mb=service_size(settings, service).memory_mb)
    announced = announced_version(settings, project, service, runs)
    return replace(parts, command=(*(parts.command or ()), f"--version={announced}")) if announced else parts


def announced_version(settings: Settings, project: ProjectSettings, service: Service, runs: str) -> str | None:
    """`10.6.0-MariaDB`, the first release of what was asked for, as what that can, a newer one can. None: its own."""
    if service.kind not in CAN_ANNOUNCE or runs == service.version or not settings.announces_asked_version(project):
        return None
    numbers = [part for part in service.version.split(".") if part.isdigit()]
    return f"{'.'.join([*numbers, '0', '0'][:3])}-MariaDB"
