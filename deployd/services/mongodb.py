"""MongoDB: one user for each endpoint, who owns the database that is called by its path.

What is wanted goes as JSON to the shell of MongoDB's own image, or to `mongo-commands` of ours, which has no shell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Endpoint, Service
from deployd.services.family import (
    RUN_AND_TMP,
    SECRET_FILE,
    Accounts,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
)

PORT = 27017
DATA = "/data/db"
ACCOUNTS = Accounts("mongodb", "main")
DATABASE = "main"
ADMINISTRATOR = "root"
USER_EXISTS = 51003

# `mongosh` since MongoDB 5, `mongo` before it. The password and the commands are in files: arguments can be seen.
SHELL = """\
if command -v mongo-commands > /dev/null; then exec mongo-commands; fi
file=$(mktemp) && cat > "$file" && export file
"$(command -v mongosh || command -v mongo)" --quiet --norc --eval '
    const read = typeof cat === "function" ? cat : path => require("fs").readFileSync(path, "utf8");
    const of = name => typeof process === "object" ? process.env[name] : _getEnv(name);
    db.getSiblingDB("admin").auth(of("MONGO_INITDB_ROOT_USERNAME"), read(of("MONGO_INITDB_ROOT_PASSWORD_FILE")));
    for (const item of JSON.parse(read(of("file")))) {
        let said;
        try { said = db.getSiblingDB(item.db).runCommand(item.command); }
        catch (error) { said = {ok: 0, code: error.code, errmsg: error.message}; }
        if (!said.ok && !(item.may_fail || []).includes(said.code)) { print(said.errmsg); quit(1); }
    }'
status=$?; rm -f "$file"; exit $status"""
COMMANDS = ("bash", "-c", SHELL)


class MongoDb:
    """`mongodb`, `mongodb-enterprise`"""

    connection = Connection("mongodb", PORT, {"is_master": True})

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        cache_gb = max(0.25, (memory_mb - 256) / 2048)   # half of what it does not need itself, as by its own rule
        return Parts(
            usual_seconds=4.0,
            port=PORT,
            # While an official image prepares its data, a server answers on 127.0.0.1 only: not ready yet.
            health=health(f'(exec 3<>"/dev/tcp/$(hostname)/{PORT}")', "bash"),
            command=("mongod", "--bind_ip_all", "--wiredTigerCacheSizeGB", f"{cache_gb:.2f}"),
            environment={"MONGO_INITDB_ROOT_USERNAME": ADMINISTRATOR},
            secret_environment=("MONGO_INITDB_ROOT_PASSWORD_FILE",),
            secret_files={"password": SECRET_FILE},
            volume_path=DATA,
            tmpfs=RUN_AND_TMP,
            open_files=16_384,
            crash_safe=True,
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {
            endpoint.name: Credential(ACCOUNTS.user_of(endpoint.name), secret(endpoint.name), _database(endpoint))
            for endpoint in service.endpoints
        }

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        commands = [command for item in service.endpoints for command in _user(item, credentials[item.name])]
        await execute(COMMANDS, json.dumps(commands).encode())

    def copying(self, service: Service) -> Copying | None:
        return None   # the official image has no tools for it since MongoDB 4.4; its files are safe to copy


def _database(endpoint: Endpoint) -> str:
    return endpoint.default or DATABASE


def _user(endpoint: Endpoint, credential: Credential) -> list[dict[str, Any]]:
    database = _database(endpoint)
    said = {"pwd": credential.password, "roles": [{"role": "dbOwner", "db": database}]}
    return [
        {"db": database, "command": {"createUser": credential.username, **said}, "may_fail": [USER_EXISTS]},
        {"db": database, "command": {"updateUser": credential.username, **said}},
    ]
