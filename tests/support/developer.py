"""A developer: a working tree of a one-file Python application, what its owner does with it, and what visitors get."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from scripts.git_push import Pushed
from scripts.local_daemon import LocalDaemon
from scripts.repository import commit

SERVER = '''\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = (Path("/app/text").read_text().strip() + " on " + os.environ["PLATFORM_BRANCH"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
'''


APP = '''\
name: app
type: python:3.13
web:
  commands:
    start: python3 server.py
'''


@dataclass
class Developer:
    """A working tree, and what its owner does with it."""

    daemon: LocalDaemon
    folder: Path
    project: str

    async def write(self, files: Mapping[str, str], message: str = "A change") -> str:
        """Change files and commit. Returns the commit."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return await commit(self.folder, message, allow_empty=True)

    async def push(self, branch: str = "main", **more: Any) -> Pushed:
        """Forced, because every test begins with a repository of its own."""
        return await self.daemon.push(
            self.folder, self.project, branch=branch, on_line=lambda _: None, force=not more.get("delete"), **more,
        )

    async def page(self, branch: str = "main", path: str = "/", subdomain: str = "") -> tuple[int, str]:
        """What a visitor gets through the router."""
        url = URL(self.daemon.url(self.project, branch, path))
        if subdomain:
            url = url.with_host(f"{subdomain}.{url.host}")
        async with aiohttp.ClientSession() as session, session.get(
            url.with_host("127.0.0.1"), headers={"Host": url.authority}, allow_redirects=False,
        ) as answer:
            return answer.status, await answer.text()


MakeDeveloper = Callable[..., Coroutine[Any, Any, Developer]]


def write_start(folder: Path, more: Mapping[str, str] | None = None) -> Path:
    """The files of a one-file Python application."""
    for name, text in {".platform.app.yaml": APP, "server.py": SERVER, "text": "first", **(more or {})}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder
