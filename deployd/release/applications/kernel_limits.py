"""Whether Linux can start what a configuration asks for, told with names and sizes before anything begins. Pure.

Looked at when a commit is received, when a deployment is planned, and in `deployd check`: applications with their
hooks and crons, workers, builds and services. What only is known later (addresses, passwords) is taken as long as it
can be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

from deployd.environment.application_json import application_json
from deployd.environment.exec_limits import MOST_VALUE_BYTES, Beyond, beyond_limits, value_bytes
from deployd.environment.platform import (
    PORT,
    About,
    Surroundings,
    build_environment,
    encoded,
    routes_json,
    runtime_environment,
)
from deployd.environment.relationships import Address, Connection, Credential, Related
from deployd.environment.routes import ResolvedRoute
from deployd.environment.variables import variables_of
from deployd.errors import DeployError
from deployd.project.model import VARIABLE_PREFIXES, Application, Instance, Place, ProjectConfig, Relationship, Service
from deployd.release.applications.start_script import hook_script
from deployd.services.families import FAMILIES
from deployd.settings import ProjectSettings

MOST_TOLD = 10
LONG = "x" * 64
"""A name, a host or a password that is not known yet."""
INTO_A_FILE = "put it into a file of the repository, and read or run that"


class TooLargeToStart(DeployError):
    """Linux starts no program with such a variable or argument."""

    code: ClassVar[str] = "too-large-to-start"

    def __init__(self, what: str, place: Place, hint: str) -> None:
        super().__init__(what, where=str(place), hint=hint)
        self.place = place


def too_large_to_start(
    config: ProjectConfig, project: ProjectSettings, branch: str, routes: Sequence[ResolvedRoute] = (),
) -> list[TooLargeToStart]:
    """The first ones of all that nothing could be started with; what is left after them is looked at the next time."""
    shared = encoded(routes_json(routes))
    return list(islice(_all(config, project, branch, shared), MOST_TOLD))


def refuse_too_large(who: str, environment: Mapping[str, str], place: Place) -> None:
    """
    Raises:
        TooLargeToStart: The environment with which something is about to be started, all values known.
    """
    for found in beyond_limits(environment):
        raise _told(found, who, place, "")


def _all(config: ProjectConfig, project: ProjectSettings, branch: str, routes: str) -> Iterator[TooLargeToStart]:
    for app in config.applications:
        first = next(_of_application(config, project, branch, routes, app), None)
        if first is not None:   # its workers have what it has: the next look tells what is left
            yield first
    for service in config.services:
        yield from _of_service(service)


def _of_application(
    config: ProjectConfig, project: ProjectSettings, branch: str, routes: str, app: Application,
) -> Iterator[TooLargeToStart]:
    about = About(LONG, LONG, LONG, branch, "development", LONG)
    building = build_environment(app, about, variables_of(app, app.web.instance, project, branch, building=True))
    instances = [(app.name, app.web.instance, app.web.place), *(
        (f"the worker {worker.name} of {app.name}", worker.instance, worker.place) for worker in app.workers
    )]
    for who, instance, place in instances:
        values = runtime_environment(
            app, about, variables_of(app, instance, project, branch, building=False), commands=instance.commands,
            around=Surroundings(relationships=_relationships(config, instance)),
        )
        values |= {f"{prefix}ROUTES": routes for prefix in VARIABLE_PREFIXES}
        for found in beyond_limits(values):
            yield _told(found, who, _place(found, app, place), _most_of(found, app, values))
        if post_start := instance.commands.post_start:
            yield from _argument(f"the post_start command of {who}", hook_script(post_start), place)
    for found in beyond_limits(building):
        yield _told(found, f"the build of {app.name}", _place(found, app, app.place), _most_of(found, app, building))
    for cron in app.crons:
        yield from _argument(f"the stop command of the cron {cron.name}", hook_script(cron.stop or ""), cron.place)


def _of_service(service: Service) -> Iterator[TooLargeToStart]:
    family = FAMILIES.get(service.kind)
    if family is None:
        return
    parts = family.parts(service, memory_mb=512)
    for found in beyond_limits(parts.environment):
        yield _told(found, f"the service {service.name}", service.place, "")
    for argument in parts.command or ():
        yield from _argument(f"an argument of the service {service.name}", argument, service.place)


def _argument(what: str, text: str, place: Place) -> Iterator[TooLargeToStart]:
    size = len(text.encode()) + 1
    if size > MOST_VALUE_BYTES:
        said = f"{what} has {size:,} bytes, and Linux starts nothing with an argument of more than {MOST_VALUE_BYTES:,}"
        yield TooLargeToStart(said, place, INTO_A_FILE)


def _told(found: Beyond, who: str, place: Place, most: str) -> TooLargeToStart:
    if not found.name:
        return TooLargeToStart(
            f"the environment of {who} would have {found.size_bytes:,} bytes, and Linux starts nothing with more than "
            f"{found.most_bytes:,} (the largest: {', '.join(found.largest)})", place,
            "have fewer or shorter variables; put long values into files of the repository",
        )
    return TooLargeToStart(
        f"{found.name} of {who} would have {found.size_bytes:,} bytes{most}, and Linux starts nothing with a variable "
        f"of more than {found.most_bytes:,}", place, INTO_A_FILE,
    )


def _place(found: Beyond, app: Application, place: Place) -> Place:
    """Where the longest part of PLATFORM_APPLICATION is written; else where the instance is."""
    hooks = [hook for hook in (app.hooks.build, app.hooks.deploy, app.hooks.post_deploy) if hook]
    longest = max(hooks, key=lambda hook: len(hook.script), default=None)
    if found.name.endswith("_APPLICATION") and longest and len(longest.script) > MOST_VALUE_BYTES // 4:
        return longest.place
    return place if place.line else app.place


def _most_of(found: Beyond, app: Application, values: Mapping[str, str]) -> str:
    """`, most of it hooks.deploy (98,304)`: what a variable that we put together has most of."""
    parts: Mapping[str, Any] = {}
    if found.name.endswith("_APPLICATION"):
        shown = application_json(app, building="PLATFORM_ENVIRONMENT" not in values)
        hooks = {f"hooks.{name}": script for name, script in shown.pop("hooks").items()}
        parts = {**shown, **hooks}
    sizes = {name: value_bytes(name, json.dumps(part)) for name, part in parts.items()}
    longest = max(sizes, key=lambda name: sizes[name], default=None)
    return f", most of it {longest} ({sizes[longest]:,})" if longest else ""


def _relationships(config: ProjectConfig, instance: Instance) -> tuple[Related, ...]:
    """As `instances.related` makes them, with nothing shorter than it will be."""
    return tuple(_related(config, item) for item in instance.relationships)


def _related(config: ProjectConfig, item: Relationship) -> Related:
    service = config.service(item.target)
    family = FAMILIES.get(service.kind) if service else None
    address = Address(hostname=LONG * 2, ip="255.255.255.255", cluster=LONG * 2)
    if service is None or family is None:
        return Related(item.name, item.target, item.endpoint, LONG, Connection(LONG, PORT), address)
    credential = family.credentials(service, lambda _: LONG).get(item.endpoint, Credential(LONG, LONG, LONG))
    return Related(item.name, item.target, item.endpoint, service.type, family.connection, address, credential)
