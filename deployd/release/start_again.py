"""A version that stopped runs again, in the containers that it has.

    network, mounts, slugs ─► services and web servers ─► applications ─► workers, when visitors are let in

What somebody removed meanwhile is made again, from what is known of the version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from deployd.errors import DeployError
from deployd.project.model import Application, ProjectConfig, Service
from deployd.release.answers.probe import wait_until_answering
from deployd.release.applications.needed import scripts_of
from deployd.release.applications.start import (
    WebServer,
    in_order_of_need,
    start_app,
    start_worker,
    web_servers,
)
from deployd.release.applications.start_records import begin_starts
from deployd.release.configuration import read_config
from deployd.release.container_removal import ensure_gone
from deployd.release.data.volumes import stage_version
from deployd.release.network import ensure_network, fixed_addresses
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.services.fronts import turn_fronts
from deployd.release.services.service import (
    READY_SECONDS,
    Wanted,
    ensure_provisioned,
    ensure_running,
    services_of,
)
from deployd.release.version import FIRST_UID, ServiceVersion


async def start_release(release: Release, host: Host) -> None:
    """Have services, web servers and applications of a version run; no workers. Maybe they do not answer yet.

    Raises:
        DeployError: One does not come up.
    """
    config = await read_config(release, host)
    await ensure_network(release, host)
    if release.version.uid != FIRST_UID:   # else the engine was told the paths themselves
        await stage_version(release, host, config)
    await in_parallel(host.slugs.ensure_mounted(slug) for slug in {app.slug for app in release.version.apps})
    start = await _start_of(release, host, config)
    await in_parallel([
        in_parallel(_start_service(start, service, version) for service, version in services_of(release, config)),
        in_parallel(_start_web_servers(start, app) for app in config.applications),
    ])
    for app in in_order_of_need(config):
        for part in release.webs(app.name):
            await _start_application(start, app, part)
    await turn_fronts(release, host)   # a web server that was made anew may have another address


async def wait_until_release_answers(release: Release, host: Host) -> None:
    """
    Raises:
        NotAnswering: An application does not; its last output is the evidence.
    """
    config = await read_config(release, host)
    await in_parallel(
        wait_until_answering(release, host, app, host.settings.answer_seconds) for app in config.applications
    )


async def start_workers_of(release: Release, host: Host) -> tuple[str, ...]:
    """Have the workers of a version run. Gives the names of their containers."""
    config = await read_config(release, host)
    return tuple(await in_parallel(
        start_worker(release, host, config, app, worker) for app in config.applications for worker in app.workers
    ))


@dataclass(frozen=True, slots=True)
class _Start:
    """What is known when a version is started."""

    release: Release
    host: Host
    config: ProjectConfig
    there: frozenset[str]
    """Names of containers that only have to be started."""
    addresses: Mapping[str, str]
    """{container: its address}, when one has to be made."""
    image: str
    """Of web servers, when one has to be made."""

    def has_both(self, part: str) -> bool:
        return {self.release.container(role, part) for role in ("web", "app")} <= self.there


async def _start_of(release: Release, host: Host, config: ProjectConfig) -> _Start:
    seen = await host.engine.containers(release.names.labels())
    await _begin_anew(release, host, {item.name for item in seen if item.running})
    there = {item.name for item in seen}
    parts = [part for app in config.applications for part in release.webs(app.name)]
    for part in parts:   # one whose web container somebody removed sits in a network that went with it
        if release.container("web", part) not in there:
            await ensure_gone(host, release.container("app", part), stop_seconds=0)
            there.discard(release.container("app", part))
    names = [
        *(release.names.service(service.name) for service, _ in services_of(release, config)),
        *(release.container("web", part) for part in parts),
    ]
    addresses: Mapping[str, str] = {}
    image = ""
    if not there.issuperset([*names, *(release.container("app", part) for part in parts)]):
        addresses = await fixed_addresses(release, host, names)   # of all at once: they are made side by side
        image = await host.images.ensure(host.catalogue.web, lambda _: None)
    return _Start(release, host, config, frozenset(there), addresses, image)


async def _start_service(start: _Start, service: Service, version: ServiceVersion) -> None:
    host, name = start.host, start.release.names.service(service.name)
    if name in start.there:
        await host.engine.start(name)
        await host.engine.wait_until_healthy(name, READY_SECONDS)
        return
    wanted = Wanted(service, version, start.addresses[name])
    seen = await ensure_running(start.release, host, wanted)
    await ensure_provisioned(start.release, host, wanted, seen.name)


async def _start_web_servers(start: _Start, app: Application) -> None:
    for part in start.release.webs(app.name):   # one after the other: they share the mounts that are staged
        await _start_web_server(start, app, part)


async def _start_web_server(start: _Start, app: Application, part: str) -> None:
    if start.has_both(part):
        await start.host.engine.start(start.release.container("web", part))
    else:
        server = _server(start, part)
        await start_app(start.release, start.host, start.config, app, server, part=part, only_make=True)


async def _start_application(start: _Start, app: Application, part: str) -> None:
    """One that is there is only started: it was made from what its version says, as after a start of the host."""
    if start.has_both(part) and not app.web.instance.commands.post_start:
        with suppress(DeployError):   # what is wrong is put into words below
            await start.host.engine.start(start.release.container("app", part))
            return
    server = await _server_known(start, app, part)
    await start_app(start.release, start.host, start.config, app, server, part=part)


def _server(start: _Start, part: str) -> WebServer:
    return WebServer(start.image, start.addresses[start.release.container("web", part)])


async def _server_known(start: _Start, app: Application, part: str) -> WebServer:
    if start.image:
        return _server(start, part)
    image = await start.host.images.ensure(start.host.catalogue.web, lambda _: None)
    return (await web_servers(start.release, start.host, image, [app]))[part]


async def _begin_anew(release: Release, host: Host, running: Collection[str]) -> None:
    for app in release.version.apps:
        for role, part in (*(("app", web) for web in app.webs), *(("worker", worker) for worker in app.workers)):
            if release.container(role, part) not in running:
                await asyncio.to_thread(begin_starts, scripts_of(release, host, part), group=release.version.uid)
