"""A service container and an application container beside it, as deployd runs them: read-only, few capabilities."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiodocker

from deployd.catalogue import load_catalogue
from deployd.engine.docker.images import Images
from deployd.environment.relationships import Credential
from deployd.errors import DeployError
from deployd.process import Output, run
from deployd.project.model import Endpoint, Service, ServiceConfiguration
from deployd.services.families import FRONTS, SECRET_FORMS, family_of
from deployd.services.family import SECRET_FILE, Parts
from deployd.services.front import TEXT_FILE
from deployd.settings import config_folder

LABEL = f"deployd=test-services-{os.getpid()}-{secrets.token_hex(3)}"
MEMORY_MB = 512


def service(
    kind: str, version: str, *, name: str = "it", schemas: tuple[str, ...] = (), endpoints: tuple[Endpoint, ...] = (),
    configuration: ServiceConfiguration | None = None, disk_mb: int | None = 512,
) -> Service:
    return Service(name, kind, version, f"{kind}:{version}", disk_mb, schemas=schemas, endpoints=endpoints,
                   configuration=configuration)


async def image_of(kind: str, version: str) -> str:
    catalogue = load_catalogue(config_folder() / "catalogue.yaml")
    find = catalogue.runtime if kind in catalogue.runtimes else catalogue.service
    async with aiodocker.Docker() as docker:
        return await Images(docker, catalogue).ensure(find(kind, version).entry, print)


@dataclass
class Stand:
    """One network with one service on it."""

    name: str
    service: Service
    folder: Path
    """For its files."""
    memory_mb: int = MEMORY_MB
    as_before: bool = False
    """In the shape that containers had when the password of root stood in a variable."""
    passwords: dict[str, str] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        # With the characters that break quoting.
        return self.passwords.setdefault(name, f"{secrets.token_hex(8)}'\"\\$ `{name}")

    def _secret(self, parts: Parts) -> list[str]:
        if self.as_before:
            names = [name.removesuffix("_FILE") for name in parts.secret_environment]
            return [word for name in names for word in ("-e", f"{name}={self.secret('root')}")]
        return [
            *(word for name in parts.secret_environment for word in ("-e", f"{name}={SECRET_FILE}")),
            *(word for form, path in parts.secret_files.items() for word in ("-v", f"{self._file(form)}:{path}:ro")),
        ]

    def _front(self) -> list[str]:
        front = FRONTS.get(self.service.kind)
        if front is None:
            return []
        folder = self.folder / "front"
        folder.mkdir(exist_ok=True)
        if not (folder / TEXT_FILE).exists():
            (folder / TEXT_FILE).write_text(front.text(self.service, {}))
        self.folder.chmod(0o755)
        return ["-v", f"{folder}:{front.folder}:ro"]

    def _file(self, form: str) -> Path:
        file = self.folder / form
        file.write_text(SECRET_FORMS[form].format(self.secret("root")))
        file.chmod(0o444)
        return file

    @property
    def credentials(self) -> Mapping[str, Credential]:
        return family_of(self.service).credentials(self.service, self.secret)

    async def execute(self, argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        return (await run("docker", "exec", "-i", self.name, *argv, stdin=stdin or b"")).stdout

    async def provision(self) -> None:
        await family_of(self.service).provision(self.execute, self.service, self.credentials)

    async def start(self) -> None:
        parts = family_of(self.service).parts(self.service, memory_mb=self.memory_mb)
        options = [
            "--name", self.name, "--label", LABEL, "--network", self.name, "--network-alias", self.service.name,
            "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=1024",
            f"--memory={self.memory_mb}m", *(f"--cap-add={name}" for name in parts.capabilities),
            *(f"--tmpfs={path}:{text}" for path, text in parts.tmpfs.items()),
            *(word for name, value in parts.environment.items() for word in ("-e", f"{name}={value}")),
            *self._secret(parts), *self._front(),
            *(["-v", f"{self.name}:{parts.volume_path}"] if parts.volume_path else []),
            *([f"--ulimit=nofile={parts.open_files}:{parts.open_files}"] if parts.open_files else []),
            *([f"--shm-size={parts.shm_bytes}"] if parts.shm_bytes else []),
        ]
        image = await image_of(self.service.kind, self.service.version)
        await run("docker", "run", "--detach", *options, image, *(parts.command or ()))
        until = " ".join("'" + word.replace("'", "'\\''") + "'" for word in parts.health.command)
        try:
            await run("docker", "exec", self.name, "sh", "-c", f"until {until} 2>/dev/null; do sleep 0.2; done",
                      limit_seconds=180)
        except DeployError:
            print((await run("docker", "logs", self.name, check=False)).stderr.decode())
            raise

    async def restart(self) -> None:
        """A new container on the old volume."""
        await run("docker", "stop", "--time=30", self.name)
        await run("docker", "rm", "--volumes", self.name)
        await self.start()

    async def app(self, *argv: str, env: Mapping[str, str] | None = None, check: bool = True,
                  image: tuple[str, str] = ("php", "8.4"), stdin: bytes | None = None,
                  folder: tuple[Path, str] | None = None) -> Output:
        """Run a program in an application container on the same network, which may see a folder of the host."""
        values = env or {}
        return await run(
            "docker", "run", "--rm", "-i", "--label", LABEL, "--network", self.name, "--read-only", "--cap-drop=ALL",
            "--security-opt=no-new-privileges", "--tmpfs=/tmp",
            *(["-v", f"{folder[0]}:{folder[1]}:ro"] if folder else []),
            *(word for name in values for word in ("-e", name)),
            await image_of(*image), *argv, env={**os.environ, **values}, check=check, stdin=stdin or b"",
        )


@asynccontextmanager
async def standing(
    wanted: Service, *, as_before: bool = False, memory_mb: int = MEMORY_MB,
) -> AsyncIterator[Stand]:
    """Started, ready, not provisioned; everything of it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="test-services-") as folder:
        stand = Stand(f"test-services-{wanted.kind}-{secrets.token_hex(4)}", wanted, Path(folder), memory_mb,
                      as_before)
        await run("docker", "network", "create", "--label", LABEL, stand.name)
        await run("docker", "volume", "create", "--label", LABEL, stand.name)
        try:
            await stand.start()
            yield stand
        finally:
            await run("docker", "rm", "--force", "--volumes", stand.name, check=False)
            await run("docker", "volume", "rm", stand.name, check=False)
            await run("docker", "network", "rm", stand.name, check=False)
