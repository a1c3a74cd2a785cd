"""A socket before Docker's own, behind which there are more containers than this machine could run.

Lists and looks know the made-up ones as running; everything else is Docker's real answer, streams included. What Docker
itself would need for so many containers is not in what is measured through it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

DOCKER = Path("/var/run/docker.sock")
LIST = re.compile(r"/v[\d.]+/containers/json")
LOOK = re.compile(r"/v[\d.]+/containers/([^/]+)/json")
CHUNK_BYTES = 65_536
HOP_BY_HOP = frozenset({"transfer-encoding", "connection", "content-length"})


@dataclass(frozen=True)
class Made:
    """A container that is only said to run."""

    name: str
    labels: Mapping[str, str]
    network: str
    address: str

    @property
    def id(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()

    def listed(self) -> dict[str, Any]:
        """As `GET /containers/json` has it, with what else it says: the answer is to be as large as a real one."""
        endpoint = {
            "IPAMConfig": None, "Links": None, "Aliases": None, "NetworkID": self.id, "EndpointID": self.id,
            "Gateway": "10.0.0.1", "IPAddress": self.address, "IPPrefixLen": 26, "IPv6Gateway": "",
            "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "MacAddress": "02:42:0a:00:00:02", "DriverOpts": None,
        }
        mount = {"Type": "bind", "Source": f"/var/lib/deployd/{self.name}", "Destination": "/app", "Mode": "",
                 "RW": False, "Propagation": "rprivate"}
        return {
            "Id": self.id, "Names": [f"/{self.name}"], "Image": f"sha256:{self.id}", "ImageID": f"sha256:{self.id}",
            "Command": "nginx -g 'daemon off;'", "Created": 1_790_000_000, "Ports": [], "Labels": dict(self.labels),
            "State": "running", "Status": "Up 2 hours", "HostConfig": {"NetworkMode": self.network},
            "NetworkSettings": {"Networks": {self.network: endpoint} if self.address else {}},
            "Mounts": [mount] * 4,
        }

    def looked_at(self) -> dict[str, Any]:
        """What deployd reads of `GET /containers/NAME/json`."""
        listed = self.listed()
        return {
            "Id": self.id, "Name": f"/{self.name}", "Image": listed["ImageID"], "RestartCount": 0,
            "Config": {"Image": listed["Image"], "Labels": listed["Labels"]},
            "State": {"Running": True, "StartedAt": "2026-03-02T10:00:00.000000000Z", "ExitCode": 0, "Pid": 1},
            "NetworkSettings": listed["NetworkSettings"],
        }


@asynccontextmanager
async def docker_with(made: Sequence[Made], socket: Path) -> AsyncIterator[None]:
    """Answer on a socket as Docker would if it had these containers too."""
    by_name = {item.name: item for item in made}

    async def handle(request: web.Request) -> web.StreamResponse:
        if found := LOOK.fullmatch(request.path):
            there = by_name.get(found[1])
            if there is not None:
                return web.json_response(there.looked_at())
        listing = LIST.fullmatch(request.path) is not None
        async with session.request(
            request.method, f"http://docker{request.path_qs}", data=await request.read() or None,
            headers={name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP},
        ) as answer:
            if listing:
                labels = json.loads(request.query.get("filters", "{}")).get("label", ())
                wanted = [label.split("=", 1) for label in labels]
                more = [item.listed() for item in made
                        if all(item.labels.get(name) == value for name, value in wanted)]
                return web.json_response([*await answer.json(), *more])
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=headers)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    app = web.Application(client_max_size=2**31)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
    limit = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(str(DOCKER), limit=0), timeout=limit, auto_decompress=False,
    ) as session:
        await runner.setup()
        await web.UnixSite(runner, str(socket)).start()
        try:
            yield
        finally:
            await runner.cleanup()
