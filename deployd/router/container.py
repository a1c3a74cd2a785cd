"""The router's container: what it is, and how it comes to run with the configuration that the settings ask for.

A running router is only reloaded, after nginx itself has tested the new configuration. It is replaced when its image
has changed; visitors then see no answer for a moment.
A layering sin: the engine's values are used here although it is a neighbour, because a container of ours is a
`ContainerSpec` whoever describes it. The Engine itself is handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from deployd.engine.names import DIGEST, INSTANCE, ROLE
from deployd.engine.specs import Bind, ContainerSpec
from deployd.router.control import Router, RouterAbsent, RouterUnanswered
from deployd.router.files import RouterNotConfigured, use, write_router_files
from deployd.router.places import RouterPlaces
from deployd.router.render_nginx import RouterConfig

START_SECONDS = 15.0
START = 'ulimit -n "$(ulimit -Hn)"; rm -f "$1" "$2"/*; exec nginx -c "$3" -g "daemon off;"'
"""Sockets that a killed nginx left would keep the next one from starting; and thousands of clients need files."""
CAPABILITIES = ("CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
"""nginx's master gives folders to its workers, makes them another user, signals them, and binds ports below 1024."""


class Container(Protocol):
    """What the Engine tells of a container."""

    @property
    def running(self) -> bool: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


class Ran(Protocol):
    """How a command in a container ended."""

    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...


class Engine(Protocol):
    """The calls of the Engine that the router needs."""

    async def container(self, name: str, /) -> Container | None: ...
    async def ensure_container(self, spec: ContainerSpec, /) -> object: ...
    async def ensure_container_gone(self, name: str, *, stop_seconds: int) -> None: ...
    async def execute(self, name: str, command: Sequence[str], /) -> Ran: ...


def router_name(instance: str) -> str:
    return f"{instance}-router"


def router_container(
    instance: str, image: str, image_id: str, places: RouterPlaces, certificates: Path | None = None,
) -> ContainerSpec:
    """The container of the router: the host's network, its own folder of the run folder, and little else.

    Args:
        image_id: What `image` is now; another one than that of a running router replaces it.
        certificates: Folder of certificates and keys, seen read-only.
    """
    binds = [Bind(str(places.folder), str(places.folder))]
    if certificates is not None:
        binds.append(Bind(str(certificates), str(certificates), read_only=True))
    return ContainerSpec(
        name=router_name(instance),
        image=image,
        labels={INSTANCE: instance, ROLE: "router", DIGEST: image_id},
        command=(
            "sh", "-c", START, "router", str(places.socket), str(places.behind), str(places.current / "nginx.conf"),
        ),
        network="host",
        binds=tuple(binds),
        tmpfs={"/tmp": "rw,nosuid,nodev,size=16m,mode=1777"},
        capabilities=CAPABILITIES,
        restart="unless-stopped",
        stop_seconds=30,
        stop_signal="SIGQUIT",
    )


async def ensure_router(
    engine: Engine, spec: ContainerSpec, source: Path, places: RouterPlaces, config: RouterConfig,
) -> bool:
    """Let the router run with this configuration. Returns whether nginx was started anew: then its memory is empty, and
    routes and freezes have to be put back.

    Args:
        spec: From `router_container`.
        source: config/router of the program.

    Raises:
        RouterNotConfigured: nginx does not accept the configuration; the router goes on with the one it had.
    """
    folder = await asyncio.to_thread(write_router_files, source, places, config)
    there = await engine.container(spec.name)
    if there is not None and there.running and there.labels.get(DIGEST) == spec.labels[DIGEST]:
        if places.current.resolve() != folder:
            await _reload(engine, spec.name, places, folder)
        return False
    if there is not None:
        await engine.ensure_container_gone(spec.name, stop_seconds=spec.stop_seconds)
    await asyncio.to_thread(use, places, folder)
    await engine.ensure_container(spec)
    return True


async def wait_until_listening(router: Router, limit_seconds: float = START_SECONDS) -> None:
    """Wait until the control socket answers.

    Raises:
        RouterAbsent: It did not in time; the container's log says why (a port that is taken, for example).
    """
    try:
        async with asyncio.timeout(limit_seconds):
            while True:
                try:
                    await router.status(environments=False)
                except (RouterAbsent, RouterUnanswered):
                    await asyncio.sleep(0.05)
                else:
                    return
    except TimeoutError:
        raise RouterAbsent(
            f"the router did not start within {limit_seconds:.0f} s",
            mend="docker logs --tail 20 of its container says why; often a port is taken by another program",
        ) from None


async def reopen_access_log(engine: Engine, instance: str, places: RouterPlaces) -> None:
    """Let nginx write its access log into a new file.

    Raises:
        RouterAbsent: It does not run.
    """
    configuration = str(places.current / "nginx.conf")
    ran = await engine.execute(router_name(instance), ("nginx", "-s", "reopen", "-c", configuration))
    if ran.status != 0:
        raise RouterAbsent(
            "the router cannot begin a new access log",
            evidence=tuple(ran.stderr.decode(errors="replace").splitlines()),
        )


async def _reload(engine: Engine, name: str, places: RouterPlaces, folder: Path) -> None:
    await _execute(engine, name, ("nginx", "-t", "-q", "-c", str(folder / "nginx.conf")))
    await asyncio.to_thread(use, places, folder)
    await _execute(engine, name, ("nginx", "-s", "reload", "-c", str(places.current / "nginx.conf")))


async def _execute(engine: Engine, name: str, command: Sequence[str]) -> None:
    ran = await engine.execute(name, command)
    if ran.status != 0:
        raise RouterNotConfigured(
            "nginx does not accept the router's configuration; the one before stays in use",
            where=name, evidence=tuple((ran.stderr or ran.stdout).decode(errors="replace").splitlines()[-10:]),
            mend="correct the router's settings; the lines above say what nginx does not like",
        )
