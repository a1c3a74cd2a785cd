"""What the routes of a live version are made from, as one short text: whoever has the same text has the same routes.

The router keeps it beside the routes. A daemon that comes back compares it, and need not read a thousand
configurations to find that nothing has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from deployd import __version__
from deployd.engine.names import ACTIVITY, PART, ROLE, is_set_aside
from deployd.engine.observed import ContainerSeen
from deployd.release.version import Version
from deployd.settings import ProjectSettings, Settings

FORM = "3"
"""Another one when routes are made otherwise of the same parts: a daemon that is upgraded then tells them anew."""


def live_containers(version: Version, found: Iterable[ContainerSeen]) -> list[ContainerSeen]:
    """The containers of a version among all of its environment."""
    services = {service.name for service in version.services}
    homes = {part: str(app.made_by) for app in version.apps if app.made_by for part in app.own_parts}
    own = str(version.activity)
    return [
        item for item in found
        if (item.labels[ROLE] == "service" and (part := item.labels.get(PART)) in services
            and not is_set_aside(item.name, part or ""))
        or (item.labels[ROLE] in ("app", "web", "worker")
            and item.labels.get(ACTIVITY) == homes.get(item.labels.get(PART, ""), own))
    ]


def out_of_balance(version: Version, containers: Iterable[ContainerSeen]) -> frozenset[str]:
    """Instances whose application does not run, while another one of the same application does: visitors get that."""
    up = {item.labels.get(PART, "") for item in containers if item.labels[ROLE] == "app" and item.running}
    return frozenset(
        part for app in version.apps if app.instances > 1 and not up.isdisjoint(app.webs)
        for part in app.webs if part not in up
    )


def routes_origin(
    settings: Settings, project: ProjectSettings, version: Version, containers: Iterable[ContainerSeen], network: str,
) -> str:
    """Pure. Routes that lead to hosts outside have none: their addresses change without any of this.

    Args:
        version: With it go the commit and its configuration.
        containers: Of the version; those that routes can lead to count.
    """
    containers = list(containers)
    out = out_of_balance(version, containers)
    addresses = sorted(
        (item.name, item.addresses.get(network, "")) for item in containers
        if item.labels[ROLE] in ("web", "service") and item.labels.get(PART) not in out
    )
    parts = (
        __version__, FORM, settings.instance, settings.domain, repr(settings.router), repr(project),
        str(version.activity), repr(addresses),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
