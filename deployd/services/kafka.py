"""Kafka, one node that is broker and controller, without ZooKeeper. No password: the network is the wall.

Surprise: whoever connects is told to come back under the name that the broker has for itself. That is the service's own
name, which every container of the environment finds.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Service
from deployd.services.family import Copying, Execute, Parts, Secret, health, memory_folder

PORT, CONTROLLER_PORT = 9092, 9093
DATA = "/var/lib/kafka/data"
BESIDE_HEAP_MB = 300
"""Classes, compiled code, threads and buffers."""
MOST_HEAP_MB = 6144
"""What is read again is read from the files, which the kernel keeps in the rest of the memory."""
# The smallest request that it answers, about the versions of its protocol; its port opens long before it does.
REQUEST = r"\0\0\0\12\0\22\0\0\0\0\0\1\377\377"
ANSWERS = f"""\
exec 3<>/dev/tcp/127.0.0.1/{PORT} || exit 1
printf '{REQUEST}' >&3; [ "$(timeout 10 head -c 10 <&3 | wc -c)" = 10 ]"""


class Kafka:
    """`kafka`"""

    connection = Connection("kafka", PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        heap_mb = max(128, min(memory_mb // 2, memory_mb - BESIDE_HEAP_MB, MOST_HEAP_MB))
        return Parts(
            usual_seconds=15.0,
            port=PORT,
            health=health(f"({ANSWERS})", "bash"),
            environment={"KAFKA_HEAP_OPTS": f"-Xms{heap_mb}m -Xmx{heap_mb}m", **_settings(service.name)},
            volume_path=DATA,
            # The official image runs as its user from the beginning.
            tmpfs={"/run": memory_folder(16), "/tmp": memory_folder(512)},
            open_files=65_536,
            crash_safe=True,    # what its files have behind the last whole message is cut off at the start
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {endpoint.name: Credential() for endpoint in service.endpoints}

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        """There is nothing to make: a topic is there when somebody writes to it."""

    def copying(self, service: Service) -> Copying | None:
        return None   # its files are copied


def _settings(name: str) -> Mapping[str, str]:
    """Of the broker, as the official image takes them: KAFKA_LOG_DIRS is log.dirs."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{PORT},CONTROLLER://127.0.0.1:{CONTROLLER_PORT}",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{name}:{PORT}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@127.0.0.1:{CONTROLLER_PORT}",
        "KAFKA_LOG_DIRS": DATA,
        # There is no second node that could have a copy.
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "5",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "5",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_DELETE_TOPIC_ENABLE": "true",
    }
