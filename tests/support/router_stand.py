"""A real router in a container, real little servers behind it, clients in front: what the router's tests stand on."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from aiohttp import web

from deployd.engine.docker.render import network_mode
from deployd.engine.specs import ContainerSpec
from deployd.router.control import Router, open_router
from deployd.router.paths import RouterPlaces
from deployd.router.table import Route, RouteSet, Target
from deployd.router_process.container import router_container
from deployd.router_process.default_certificate import ensure_default_certificate
from deployd.router_process.files import lead, use, write_router_files
from deployd.router_process.nginx_conf import RouterConfig

SOURCE = Path(__file__).parents[2] / "config" / "router"
IMAGE = "deployd/router:1"


def docker(*arguments: str, check: bool = True) -> str:
    ran = subprocess.run(("docker", *arguments), capture_output=True, text=True, check=False)
    if check and ran.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {ran.stderr}")
    return ran.stdout + ran.stderr


@cache
def ensure_image() -> None:
    """As the set-up and the daemon make it: anew when its Dockerfile has changed."""
    ran = subprocess.run(
        (sys.executable, "-m", "deployd.engine.docker.images", "router"), cwd=SOURCE.parents[1], capture_output=True,
        text=True, check=False,
    )
    assert ran.returncode == 0, ran.stderr


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Stand:
    """One running router."""

    places: RouterPlaces
    config: RouterConfig
    name: str
    port: int

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def reload(self) -> None:
        docker("exec", self.name, "nginx", "-s", "reload", "-c", str(self.places.current / "nginx.conf"))

    def log(self) -> str:
        return docker("logs", self.name)

    @asynccontextmanager
    async def router(self, pace: int = 64) -> AsyncIterator[Router]:
        async with open_router(self.places, pace=pace) as router:
            yield router


@contextmanager
def running_router(**settings: Any) -> Iterator[Stand]:
    """A router of its own, gone afterwards."""
    ensure_image()
    run = Path(tempfile.mkdtemp(prefix="dr-"))
    places = RouterPlaces(run)
    port = free_port()
    config = RouterConfig(address="127.0.0.1", http_port=port, **settings)
    use(places, write_router_files(SOURCE, places, config))
    lead(places.socket, places.own_socket.name)
    spec = router_container(f"test-router-{secrets.token_hex(3)}", IMAGE, "test", places, settings_folder(config))
    stand = Stand(places, config, spec.name, port)
    try:
        docker(*run_arguments(spec))
        wait_for_socket(stand)
        yield stand
    finally:
        docker("rm", "-f", spec.name)
        shutil.rmtree(run, ignore_errors=True)


@contextmanager
def secure_router(folder: Path, **settings: Any) -> Iterator[Stand]:
    """With HTTP/2 over TLS, and a certificate of its own in the folder."""
    certificate, key = asyncio.run(ensure_default_certificate(folder))
    with running_router(
        https_port=free_port(), certificate=PurePosixPath(certificate), certificate_key=PurePosixPath(key), **settings,
    ) as found:
        asyncio.run(_say_complete(found))
        yield found


def settings_folder(config: RouterConfig) -> Path | None:
    return Path(config.certificate).parent if config.certificate else None


def wait_for_socket(stand: Stand) -> None:
    for _ in range(200):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(stand.places.socket))
            except OSError:
                subprocess.run(("sleep", "0.05"), check=True)
            else:
                return
    raise AssertionError(stand.log())


def run_arguments(spec: ContainerSpec) -> list[str]:
    """The spec as `docker run` takes it, as strict as the Engine makes it."""
    found = ["run", "-d", "--name", spec.name, "--network", network_mode(spec.network), "--read-only",
             "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", str(spec.pids),
             "--stop-signal", "SIGQUIT"]
    for name in spec.capabilities:
        found += ["--cap-add", name]
    for name, value in spec.labels.items():
        found += ["--label", f"{name}={value}"]
    for bind in spec.binds:
        found += ["-v", f"{bind.source}:{bind.target}:{'ro' if bind.read_only else 'rw'}"]
    for path, options in spec.tmpfs.items():
        found += ["--tmpfs", f"{path}:{options}"]
    return [*found, spec.image, *(spec.command or ())]


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """A router shared by the tests of a file; each test has environments and hosts of its own."""
    with running_router() as found:
        asyncio.run(_say_complete(found))
        yield found
        bad = [line for line in found.log().splitlines() if "[error]" in line and "connect() failed" not in line]
        assert not bad, "\n".join(bad)


async def _say_complete(stand: Stand) -> None:
    async with stand.router() as router:
        await router.complete()


@pytest.fixture
async def router(stand: Stand) -> AsyncIterator[Router]:
    async with stand.router() as found:
        yield found


@dataclass
class Backend:
    """A server that says who it is and remembers what it was asked."""

    name: str
    port: int = 0
    delay_seconds: float = 0.0
    seen: list[dict[str, Any]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    under_way: int = 0
    most_under_way: int = 0

    @property
    def target(self) -> Target:
        return Target("127.0.0.1", self.port)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            self.connections.add(request.transport)
            body = await request.read()
            self.seen.append({
                "method": request.method, "path": request.path_qs, "headers": dict(request.headers), "body": body,
            })
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            return web.json_response({"backend": self.name, "path": request.path_qs, "size": len(body)})
        finally:
            self.under_way -= 1


@asynccontextmanager
async def backend(name: str, *, delay_seconds: float = 0.0, routes: Any = None) -> AsyncIterator[Backend]:
    found = Backend(name, delay_seconds=delay_seconds)
    app = web.Application(client_max_size=1 << 30)
    for path, handler in (routes or {}).items():
        app.router.add_route("*", path, handler)
    app.router.add_route("*", "/{rest:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        found.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        yield found
    finally:
        await runner.cleanup()


def route(host: str, *targets: Target, path: str = "/", **more: Any) -> Route:
    values = {"scheme": "http", "type": "upstream", "original_url": "http://{default}/"} | more
    return Route(host=host, path=path, targets=targets, **values)


def routes(environment: str, version: str, *found: Route, **more: Any) -> RouteSet:
    return RouteSet(environment, version, tuple(found), **more)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = 0.0

    @property
    def backend(self) -> str:
        return str(json.loads(self.body)["backend"])


async def ask(
    stand: Stand, host: str, path: str = "/", *, method: str = "GET", body: bytes = b"", headers: str = "",
    limit_seconds: float = 30.0,
) -> Answer:
    """One request on a connection of its own, straight over a socket: nothing is tried again behind our back."""
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(limit_seconds):
        reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
        try:
            length = f"Content-Length: {len(body)}\r\n" if body or method in ("POST", "PUT") else ""
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{headers}\r\n"
            writer.write(head.encode() + body)
            raw = await reader.read()
        finally:
            writer.close()
    return replace(parse_answer(raw), seconds=asyncio.get_running_loop().time() - began)


def parse_answer(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _dechunked(body)
    return Answer(int(first.split(" ")[1]), headers, body)


def _dechunked(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        found, body = found + body[:length], body[length + 2:]
        if length == 0:
            break
    return found


async def wait_until_held(router: Router, environment: str, count: int, limit_seconds: float = 20.0) -> None:
    """Until so many requests wait in the router."""
    async with asyncio.timeout(limit_seconds):
        while (await router.status()).environments[environment].held_now < count:
            await asyncio.sleep(0.02)


def unique(word: str) -> tuple[str, str]:
    """Name of an environment and a host that no other test uses."""
    key = f"{word}-{os.urandom(3).hex()}"
    return f"{key}/main", f"{key}.test"
