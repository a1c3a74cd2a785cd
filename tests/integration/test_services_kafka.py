"""Kafka, real, with a client in an application's container: what was sent is there after a restart."""

import importlib.util
from pathlib import Path

from deployd.process import run
from deployd.project.model import Endpoint
from tests.support.service_stand import Stand, image_of, service, standing

WANTED = service("kafka", "4.3", name="queue", endpoints=(Endpoint("kafka"),))
SEND = """
from kafka import KafkaProducer
producer = KafkaProducer(bootstrap_servers="queue:9092", acks="all")
for text in {texts}:
    producer.send("orders", text.encode()).get(timeout=60)
producer.close()
print("sent")
"""
RECEIVE = """
from kafka import KafkaConsumer
consumer = KafkaConsumer("orders", bootstrap_servers="queue:9092", group_id="shop", auto_offset_reset="earliest")
found = []
while len(found) < {count}:
    for records in consumer.poll(timeout_ms=1000).values():
        found += [record.value.decode() for record in records]
consumer.commit()
consumer.close()
print(" ".join(found))
"""


async def python(stand: Stand, program: str) -> str:
    spec = importlib.util.find_spec("kafka")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    ended = await stand.app("timeout", "120", "python3", "-", stdin=program.encode(), image=("python", "3.13"),
                            folder=(folder, "/clients/kafka"), env={"PYTHONPATH": "/clients"})
    return ended.text


async def test_messages_and_how_far_a_group_has_read_are_there_after_a_restart_and_a_redeployment():
    async with standing(WANTED, memory_mb=1024) as stand:
        await stand.provision()
        assert await python(stand, SEND.format(texts=["first", "second"])) == "sent"
        assert await python(stand, RECEIVE.format(count=2)) == "first second"
        await stand.restart()
        await stand.provision()
        assert await python(stand, SEND.format(texts=["third"])) == "sent"
        assert await python(stand, RECEIVE.format(count=1)) == "third"
        await refuses_data_of_a_newer_version(stand)


async def refuses_data_of_a_newer_version(stand: Stand) -> None:
    data = "/var/lib/kafka/data"
    await stand.execute(("sh", "-c", f"echo 99.0.0 > {data}/deployd-version"))
    ended = await run("docker", "run", "--rm", "--volume", f"{stand.name}:{data}", await image_of("kafka", "4.3"),
                      check=False)
    assert ended.status == 78
    assert b"version 99.0.0 wrote them" in ended.stderr
