"""RabbitMQ: one user for each endpoint, on every virtual host.

All of it travels as one definitions document, because each call of rabbitmqctl starts an Erlang machine (a second and
more). Passwords are in it only as salted hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Service
from deployd.services.family import (
    RUN_AND_TMP,
    Accounts,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
)
from deployd.units import MEGABYTE

PORT = 5672
ACCOUNTS = Accounts("rabbitmq", "guest")
DEFAULT_VHOST = "/"
OPERATOR = "deployd"
"""The administrator that the image makes; nobody is told its password."""

CONF = "rabbitmq.conf"
SECRET_FORMS: Mapping[str, str] = {CONF: "default_pass = {}\n"}

# By a file, because rabbitmqctl 4 never sees the end of its standard input. Only hashes of passwords are in it.
IMPORT = """\
file=$(mktemp) && chmod 644 "$file" && cat > "$file" && rabbitmqctl --quiet import_definitions "$file" &&
    { rabbitmqctl --quiet enable_feature_flag all || [ $? = 64 ]; }
status=$?; rm -f "$file"; exit $status"""
"""With all feature flags a newer version takes the data over; it refuses them without those that it needs. RabbitMQ 3.8
has no word for all (64), and begins with them."""


class RabbitMq:
    """`rabbitmq`"""

    connection = Connection("amqp", PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        watermark = f"-rabbit vm_memory_high_watermark {{absolute,{memory_mb * MEGABYTE * 6 // 10}}}"
        # Erlang spins while it waits for work, and reserves memory for each file that it might open.
        calm = "+sbwt none +sbwtdcpu none +sbwtdio none"
        return Parts(
            usual_seconds=12.0,
            port=PORT,
            # A connection that says nothing is not logged; asking with rabbitmqctl would start an Erlang machine.
            health=health(f"(exec 3<>/dev/tcp/127.0.0.1/{PORT})", "bash"),
            environment={
                "RABBITMQ_NODENAME": "rabbit@localhost",   # part of the path of the data; the host name changes
                "RABBITMQ_DEFAULT_USER": OPERATOR,
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{calm} {watermark}",
            },
            secret_files={CONF: "/etc/rabbitmq/conf.d/90-deployd.conf"},   # no image of it knows `_FILE`
            volume_path="/var/lib/rabbitmq",
            tmpfs=RUN_AND_TMP,
            open_files=16_384,
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return ACCOUNTS.credentials(service, secret)

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        await execute(("sh", "-c", IMPORT), definitions(service, credentials))

    def copying(self, service: Service) -> Copying | None:
        return None   # messages cannot be read without taking them


def definitions(service: Service, credentials: Mapping[str, Credential]) -> bytes:
    """Users, virtual hosts and permissions as RabbitMQ imports them."""
    vhosts = (DEFAULT_VHOST, *(name for name in service.schemas if name != DEFAULT_VHOST))
    users = [credentials[endpoint.name] for endpoint in service.endpoints]
    return json.dumps({
        "vhosts": [{"name": name} for name in vhosts],
        "users": [{
            "name": user.username, "password_hash": password_hash(user.password or ""),
            "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "",
        } for user in users],
        "permissions": [{
            "user": user.username, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*",
        } for user in users for vhost in vhosts],
    }).encode()


def password_hash(password: str) -> str:
    """Four bytes of salt and SHA-256, as RabbitMQ keeps it. The salt comes from the password, so that it stays."""
    salt = hashlib.sha256(b"salt" + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
