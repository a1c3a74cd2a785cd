"""Programs that stand beside the router in a benchmark, in containers on the host's network or as plain processes."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deployd.process import open_process, run
from scripts.local_daemon import free_port

IMAGE = "deployd/router:1"
LABEL = "deployd=bench"

BACKEND = """
worker_processes auto;
error_log stderr error;
pid /tmp/backend.pid;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    default_type text/plain;
{servers}
}}
"""
BACKEND_SERVER = """    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location / {{ add_header X-Version {version}; return 200 "{body}"; }}
    }}
"""
PLAIN_NGINX = """
worker_processes auto;
error_log stderr error;
pid /tmp/plain.pid;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests 100000;
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 512; keepalive_requests 100000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""
CADDY = """{{
    admin off
    auto_https off
}}
http://:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{backend}
}}
"""


@asynccontextmanager
async def backends(*versions: str, body_bytes: int = 1024) -> AsyncIterator[dict[str, int]]:
    """nginx servers that answer with their version in `X-Version`. Gives {version: port}."""
    ports = {version: free_port() for version in versions}
    body = "x" * body_bytes
    servers = "".join(BACKEND_SERVER.format(port=port, version=version, body=body) for version, port in ports.items())
    async with _nginx(BACKEND.format(servers=servers), next(iter(ports.values()))):
        yield ports


@asynccontextmanager
async def plain_nginx(backend: int) -> AsyncIterator[int]:
    """nginx as everybody configures it before one backend. Gives its port."""
    port = free_port()
    async with _nginx(PLAIN_NGINX.format(port=port, backend=backend), port):
        yield port


@asynccontextmanager
async def caddy(backend: int) -> AsyncIterator[int]:
    """Debian's Caddy before one backend. Gives its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="deployd-bench-") as folder:
        config = Path(folder) / "Caddyfile"
        config.write_text(CADDY.format(port=port, backend=backend))
        async with open_process(
            "caddy", "run", "--config", str(config), "--adapter", "caddyfile",
            env={"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder, "PATH": "/usr/bin:/bin"},
        ) as process, asyncio.TaskGroup() as group:
            # Its log must be read, or it stops when the pipe is full.
            readers = [group.create_task(_drain(stream)) for stream in (process.stdout, process.stderr)]
            await wait_until_open(port)
            yield port
            for reader in readers:
                reader.cancel()


@asynccontextmanager
async def _nginx(config: str, port: int) -> AsyncIterator[None]:
    name = f"deployd-bench-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="deployd-bench-") as folder:
        (Path(folder) / "nginx.conf").write_text(config)
        await run(
            "docker", "run", "--detach", "--rm", "--name", name, "--label", LABEL, "--network", "host",
            "--volume", f"{folder}:/bench:ro", IMAGE, "nginx", "-c", "/bench/nginx.conf", "-g", "daemon off;",
        )
        try:
            await wait_until_open(port)
            yield
        finally:
            await run("docker", "rm", "--force", name, check=False)


async def wait_until_open(port: int, limit_seconds: float = 15) -> None:
    """Until somebody accepts connections on a port of this machine."""
    async with asyncio.timeout(limit_seconds):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass
