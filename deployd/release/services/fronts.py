"""Services that stand before applications, as Varnish does: what lies in their folder, and that they do it.

    start_services   they run, and lead to nothing, or to what is live
    asked before     (smoke tests, operators with a pass) the new version straight, past them
    prepare          the text of the new version is loaded, so that what is wrong with it comes out; of one whose
                     container is replaced, when that is done
    switch           it is laid there and used, then the router switches
    undone           the text of the version before again, before its successor's containers go

The text is a function of the configuration and of the containers that run, so whoever makes it again gets the same one.
A service that starts by itself takes what lies there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

from deployd.engine.observed import ContainerSeen
from deployd.engine.specs import Bind
from deployd.errors import DeployError
from deployd.project.model import ProjectConfig, Service
from deployd.release.configuration import read_config
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.services.families import FRONTS
from deployd.services.front import TEXT_FILE, Backend, Front

TURN_SECONDS = 60


class FrontNotTurned(DeployError):
    """A service before the applications does not take what it is to lead to; it goes on as before."""

    code: ClassVar[str] = "front-not-turned"


def fronts_of(config: ProjectConfig) -> list[tuple[Service, Front]]:
    """The services of a configuration that stand before applications. Pure."""
    return [(service, FRONTS[service.kind]) for service in config.services if service.kind in FRONTS]


def folder_bind(release: Release, host: Host, service: Service) -> tuple[Bind, ...]:
    """What a service of this kind sees beside its data."""
    front = FRONTS.get(service.kind)
    return (Bind(str(_folder(release, host, service)), front.folder, read_only=True),) if front else ()


async def ensure_front_text(release: Release, host: Host, service: Service) -> None:
    """Have a text in the folder of a service, for its container to start with; one that is there stays."""
    front = FRONTS.get(service.kind)
    if front is not None and await _read(_folder(release, host, service)) is None:
        await _write(_folder(release, host, service), front.text(service, await backends_of(release, host, service)))


async def lay_out_front(release: Release, host: Host, service: Service) -> None:
    """Have the text of a version in the folder of a service, for its next start; one that runs takes no notice."""
    front = FRONTS.get(service.kind)
    if front is not None:
        await _write(_folder(release, host, service), front.text(service, await backends_of(release, host, service)))


async def load_fronts(release: Release, host: Host, *, but_for: Collection[str] = ()) -> None:
    """Have the services before the applications know what a version wants of them, and not do it yet.

    Args:
        but_for: Those that another container takes the place of: the one that there is may not understand it.

    Raises:
        FrontNotTurned: One does not take its text.
    """
    for service, front in fronts_of(await read_config(release, host)):
        if service.name not in but_for:
            text = front.text(service, await backends_of(release, host, service))
            await _execute(release, host, service, text, front.load(text), text.encode())


async def turn_fronts(release: Release, host: Host) -> tuple[str, ...]:
    """Have the services before the applications lead to a version, whose containers run. May be repeated.

    Returns:
        Their names.

    Raises:
        FrontNotTurned: One does not take its text; it goes on with the one that it has.
    """
    fronts = fronts_of(await read_config(release, host))
    for service, front in fronts:
        await lay_out_front(release, host, service)
        seen = await host.engine.container(release.names.service(service.name))
        if seen is not None and seen.running:   # else it takes what lies there when it starts
            text = front.text(service, await backends_of(release, host, service))
            await _execute(release, host, service, text, front.turn(text))
    return tuple(service.name for service, _ in fronts)


async def is_turned(release: Release, host: Host, service: Service) -> bool:
    """Whether a service leads to this version. True of one that stands before none."""
    front = FRONTS.get(service.kind)
    if front is None:
        return True
    text = front.text(service, await backends_of(release, host, service))
    return await _read(_folder(release, host, service)) == text


async def backends_of(release: Release, host: Host, service: Service) -> dict[str, tuple[Backend, ...]]:
    """{relationship: the web servers of a version that it leads to}; () of what is not there yet."""
    found: dict[str, tuple[Backend, ...]] = {}
    for item in service.relationships:
        seen = [await host.engine.container(name) for name in _web_servers(release, item.target)]
        found[item.name] = tuple(
            Backend(container.name, address) for container in seen
            if container is not None and (address := _address(container, release.names.network))
        )
    return found


def _web_servers(release: Release, app: str) -> tuple[str, ...]:
    """The containers that answer for an application."""
    return tuple(release.container("web", part) for part in release.webs(app))


def _address(container: ContainerSeen, network: str) -> str | None:
    """The one that it keeps, also while it does not run."""
    return container.addresses.get(network) or container.own_addresses.get(network)


async def _execute(
    release: Release, host: Host, service: Service, text: str, argv: tuple[str, ...], stdin: bytes | None = None,
) -> None:
    done = await host.engine.execute(
        release.names.service(service.name), argv, stdin=stdin, limit_seconds=TURN_SECONDS,
    )
    if done.status != 0:
        said = (done.stderr or done.stdout).decode(errors="replace")
        raise _not_turned(service, FRONTS[service.kind], text, said)


def _not_turned(service: Service, front: Front, text: str, said: str) -> FrontNotTurned:
    refused = front.refusal(service, text, said)
    if refused is None:
        return FrontNotTurned(
            f"{service.name} ({service.type}) does not take its configuration", where=str(service.place),
            evidence=tuple(said.splitlines()[-20:]), hint="its words are above",
        )
    return FrontNotTurned(
        f"{service.name} ({service.type}) does not take its configuration: {refused.what}", where=refused.where,
        evidence=refused.lines, hint="correct the line that is named",
    )


def _folder(release: Release, host: Host, service: Service) -> Path:
    return host.places.front(release.environment, service.name)


async def _read(folder: Path) -> str | None:
    try:
        return await asyncio.to_thread((folder / TEXT_FILE).read_text)
    except FileNotFoundError:
        return None


async def _write(folder: Path, text: str) -> None:
    if await _read(folder) != text:
        await asyncio.to_thread(_write_whole, folder, text)


def _write_whole(folder: Path, text: str) -> None:
    """A service may start at any moment: it sees the one text or the other."""
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f".{TEXT_FILE}.new"
    half.write_text(text)
    os.replace(half, folder / TEXT_FILE)
