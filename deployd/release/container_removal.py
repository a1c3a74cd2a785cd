"""Removing a container of an environment for good: what it printed is kept before."""

from __future__ import annotations

from deployd.engine.names import environment_of
from deployd.engine.observed import ContainerSeen
from deployd.output.retention import Retention, keep_output
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.settings import Settings
from deployd.units import MEGABYTE


async def ensure_gone(host: Host, container: ContainerSeen | str, *, stop_seconds: int | None) -> None:
    """Stop a container, keep what it printed to its last line, and remove it. Gone already is fine.

    Args:
        stop_seconds: How long it may take to end by itself; 0 kills it at once; None as its spec says.
    """
    seen = await host.engine.container(container) if isinstance(container, str) else container
    if seen is None:
        return
    if stop_seconds != 0:
        await host.engine.stop(seen.name, stop_seconds)
    environment = environment_of(seen.labels)
    if environment is not None:
        folder = host.places.output(environment)
        await keep_output(host.engine, seen, folder, retention_of(host.settings))
    await host.engine.ensure_container_gone(seen.name, stop_seconds=0)


def where_it_is_kept(release: Release, app: str) -> str:
    """The command that shows all that a version printed, also when it failed."""
    return f"`deployd logs {release.project.id} {release.branch} --version {release.id} --app {app}`"


def retention_of(settings: Settings) -> Retention:
    return Retention(settings.output.kept_mb * MEGABYTE, settings.output.kept_days)
