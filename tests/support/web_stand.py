"""The nginx of an application and the application behind it, in containers of their own, as in an environment."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from deployd.process import run
from deployd.project.model import Application
from deployd.release.applications.web_server import web_server_files

FPM = "[global]\nerror_log=/dev/stderr\n[www]\nlisten=/run/app/app.sock\npm=static\npm.max_children=2\nclear_env=no\n"
PHP = ("deployd/php:8.4", "sh", "-c", "exec $(command -v php-fpm8.4 || command -v php-fpm) -F -y /fpm.conf")

Ask = Callable[..., Coroutine[Any, Any, tuple[int, str, Any]]]


@asynccontextmanager
async def web_containers(
    folder: Path, app: Application, files: Mapping[str, str], command: tuple[str, ...] = PHP,
) -> AsyncIterator[str]:
    """The address of nginx, when it and the application answer.

    Args:
        folder: Empty, for the files of both.
        files: {path below /app: text}
        command: Image and arguments of the application.
    """
    folder.chmod(0o755)
    for name, text in files.items():
        (folder / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "app" / name).write_text(text)
    socket = folder / "socket"
    socket.mkdir()
    os.chown(socket, 10_000, 10_000)
    (folder / "config").mkdir()
    for name, text in web_server_files(app, trusted="172.16.0.0/12").items():
        (folder / "config" / name).write_text(text)
    (folder / "fpm.conf").write_text(FPM)
    mark = secrets.token_hex(4)
    shared = ("-v", f"{folder}/app:/app:ro", "-v", f"{socket}:/run/app", "--user", "10000:10000", "--entrypoint", "")
    try:
        await run("docker", "run", "-d", "--name", f"test-web-{mark}", *shared, "-v",
                  f"{folder}/config:/etc/deployd:ro", "--tmpfs", "/tmp", "deployd/web:1", "nginx", "-e", "stderr", "-c",
                  "/etc/deployd/nginx.conf", "-g", "daemon off;")
        await run("docker", "run", "-d", "--name", f"test-app-{mark}", "--network", f"container:test-web-{mark}",
                  *shared, "-v", f"{folder}/fpm.conf:/fpm.conf:ro", *command)
        template = "{{.NetworkSettings.IPAddress}}"
        address = (await run("docker", "inspect", "-f", template, f"test-web-{mark}")).text
        async with asyncio.timeout(60), asker(address) as ask:
            while not await _answers(ask):
                await asyncio.sleep(0.1)
        yield address
    finally:
        await run("docker", "rm", "-f", f"test-app-{mark}", f"test-web-{mark}")


@asynccontextmanager
async def asker(address: str) -> AsyncIterator[Ask]:
    """Asks nginx for a path as it stands, follows nothing and unpacks nothing."""
    async with aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=("Content-Type",)) as session:

        async def ask(path: str, body: Any = None, **headers: str) -> tuple[int, str, Any]:
            url = URL(f"http://{address}{path}", encoded=True)   # a client of bad will mends nothing
            method = "GET" if body is None else "POST"
            async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, await answer.text(), answer.headers

        yield ask


async def _answers(ask: Ask) -> bool:
    """Whether nginx and the application behind it have their sockets open."""
    try:
        return (await ask("/"))[0] != 502
    except aiohttp.ClientConnectorError:
        return False
