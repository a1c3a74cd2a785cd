"""OpenSearch and Elasticsearch: one node without copies of its shards, and who may come in.

No password unless `configuration.authentication` asks for one: the network is the wall. The open engines have no users;
a plugin of the image asks for one name and password, which stand hashed in a file beside the data.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import SearchConfiguration, Service
from deployd.services.family import (
    Accounts,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
    memory_folder,
)
from deployd.services.local_http import answers
from deployd.services.search_answers import PORT, look_at_plugins, look_at_shards

ASKS_FOR_PASSWORD = "deployd"
"""The plugin of our images."""
BESIDE_HEAP_MB = 350
"""Classes, compiled code, threads and buffers."""
MOST_HEAP_MB = 31_744
"""Beyond it every reference takes twice as much."""
KEEP_USERS = """\
cat > "$1/.deployd-users" && chmod 644 "$1/.deployd-users" && mv "$1/.deployd-users" "$1/deployd-users\""""


@dataclass(frozen=True, slots=True)
class Search:
    """`opensearch`, `elasticsearch` or `elasticsearch-enterprise`"""

    engine: str

    connection = Connection("http", PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        heap_mb = heap_mb_of(memory_mb)
        required = service.configured(SearchConfiguration).authentication
        return Parts(
            usual_seconds=20.0,
            port=PORT,
            health=health(answers(PORT, "/", (200, 401)), "bash"),
            command=(self.engine, *_settings()),
            environment={
                f"{'OPENSEARCH' if self.engine == 'opensearch' else 'ES'}_JAVA_OPTS": f"-Xms{heap_mb}m -Xmx{heap_mb}m",
                **({"SEARCH_AUTHENTICATION": "required"} if required else {}),
            },
            volume_path=f"/usr/share/{self.engine}/data",
            # Official images run as their user from the beginning.
            tmpfs={"/run": memory_folder(16), "/tmp": memory_folder(512)},
            open_files=65_536,
            crash_safe=True,    # what it answers stands in its log of operations before the answer is sent
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        if service.configured(SearchConfiguration).authentication:
            return Accounts(self.engine, self.engine).credentials(service, secret)
        return {endpoint.name: Credential() for endpoint in service.endpoints}

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        wanted = service.configured(SearchConfiguration)
        login = ""
        if wanted.authentication:
            user = next(iter(credentials.values()))
            login = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
            await execute(("sh", "-c", KEEP_USERS, "sh", f"/usr/share/{self.engine}/data"), users_file(credentials))
        needed = {*wanted.plugins, *((ASKS_FOR_PASSWORD,) if wanted.authentication else ())}
        await look_at_plugins(execute, service, frozenset(needed), login)
        await look_at_shards(execute, service, login)

    def copying(self, service: Service) -> Copying | None:
        return None   # its files are copied


def heap_mb_of(memory_mb: int) -> int:
    """Half of the container for the heap, the other half for what is beside it and for the files that are read."""
    return max(128, min(memory_mb // 2, memory_mb - BESIDE_HEAP_MB, MOST_HEAP_MB))


def users_file(credentials: Mapping[str, Credential]) -> bytes:
    """A line for each user: its name and the SHA-256 of `name:password`. Passwords are random, so no salt is needed."""
    logins = {f"{user.username}:{user.password}": user.username for user in credentials.values()}
    return "".join(f"{name} {hashlib.sha256(login.encode()).hexdigest()}\n" for login, name in logins.items()).encode()


def _settings() -> Iterator[str]:
    yield "-Ediscovery.type=single-node"
    yield "-Ehttp.host=0.0.0.0"
    yield "-Etransport.host=127.0.0.1"      # there is no other node, and nobody else shall speak its protocol
    yield "-Enode.store.allow_mmap=false"   # vm.max_map_count is the host's, and its default is too low for it
    # A quarter of a large disk that is free is enough; what is too little for the host is looked after by deployd.
    yield "-Ecluster.routing.allocation.disk.watermark.low=1gb"
    yield "-Ecluster.routing.allocation.disk.watermark.high=512mb"
    yield "-Ecluster.routing.allocation.disk.watermark.flood_stage=256mb"
