"""What files want of a service before applications, tried by the service's own program before anything is done.

In a container of its own with the service's image, that sees nothing and reaches nothing. One that a daemon before us
left is found by its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployd.activity.log import Tell
from deployd.engine.specs import ContainerSpec
from deployd.errors import DeployError
from deployd.ids import ActivityId
from deployd.project.model import ProjectConfig, Service
from deployd.release.configuration_refused import ConfigurationRefused
from deployd.release.ports import Host
from deployd.release.release import Environment
from deployd.release.services.fronts import fronts_of
from deployd.release.version import ServiceVersion, Version
from deployd.services.families import FRONTS
from deployd.services.family import memory_folder
from deployd.units import MEGABYTE

TRY_SECONDS, MEMORY_MB = 60, 256


@dataclass(frozen=True, slots=True)
class Tried:
    """What is to become live, and what is."""

    config: ProjectConfig
    version: Version
    before: Version | None


async def refuse_failing_trials(
    place: Environment, activity: ActivityId, host: Host, tried: Tried, tell: Tell,
) -> None:
    """Try what is not live already.

    Raises:
        ConfigurationRefused: With the place, and the words of the service's program, of all that fail.
    """
    images = {item.name: item for item in tried.version.services}
    errors: list[DeployError] = []
    for service in await _to_try(place, host, tried):
        error = await _try(place, activity, host, service, images[service.name])
        if error is not None:
            errors.append(error)
        else:
            tell.line("its configuration was tried, and is taken", app=service.name)
    if errors:
        raise ConfigurationRefused.because(errors)


async def _to_try(place: Environment, host: Host, tried: Tried) -> Sequence[Service]:
    fronts = [service for service, _ in fronts_of(tried.config)]
    if not fronts or tried.before is None:
        return fronts
    read = await host.code.read(place.project, tried.before.commit)
    images = {item.name: item.image_id for item in tried.version.services}
    live = {item.name: item.image_id for item in tried.before.services}
    return [
        service for service in fronts
        if images[service.name] != live.get(service.name) or read.config is None
        or _text(service) != _text(read.config.service(service.name))
    ]


def _text(service: Service | None) -> str:
    return FRONTS[service.kind].text(service, {}) if service is not None and service.kind in FRONTS else ""


async def _try(
    place: Environment, activity: ActivityId, host: Host, service: Service, version: ServiceVersion,
) -> DeployError | None:
    front = FRONTS[service.kind]
    name = place.names.container(activity, "trial", service.name)
    spec = ContainerSpec(
        name=name, image=version.image_id, labels=place.names.labels("trial", service.name, activity),
        entrypoint=(), command=("sleep", str(2 * TRY_SECONDS)), tmpfs={"/tmp": f"{memory_folder(32)},exec"},
        memory_bytes=MEMORY_MB * MEGABYTE, cpus=1.0, pids=64, stop_seconds=0,
    )
    text = front.text(service, {})
    await host.engine.ensure_container_gone(name, stop_seconds=0)
    try:
        await host.engine.ensure_container(spec)
        done = await host.engine.execute(name, front.trial, stdin=text.encode(), limit_seconds=TRY_SECONDS)
    finally:
        await host.engine.ensure_container_gone(name, stop_seconds=0)
    refused = front.refusal(service, text, done.stderr.decode(errors="replace")) if done.status != 0 else None
    if refused is None:
        return None
    return DeployError(
        f"{service.name} ({version.type}) does not take its configuration: {refused.what}", where=refused.where,
        evidence=refused.lines, hint="correct the line that is named",
    )
