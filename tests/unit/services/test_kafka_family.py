"""Kafka: what it is told."""

import re

import pytest

from deployd.project.model import Endpoint, Service
from deployd.services.families import family_of


def kafka(name: str = "queue") -> Service:
    return Service(name, "kafka", "4.3", "kafka:4.3", 512, endpoints=(Endpoint("kafka"),))


def test_clients_are_told_to_come_back_by_the_name_of_the_service_and_its_controller_is_for_itself_alone():
    environment = family_of(kafka()).parts(kafka(), memory_mb=1024).environment
    assert environment["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://queue:9092"
    assert environment["KAFKA_LISTENERS"] == "PLAINTEXT://:9092,CONTROLLER://127.0.0.1:9093"


@pytest.mark.parametrize(("memory_mb", "heap_mb"), [(256, 128), (512, 212), (1024, 512), (65_536, 6144)])
def test_the_heap_leaves_room_for_what_is_beside_it_and_for_files(memory_mb, heap_mb):
    environment = family_of(kafka()).parts(kafka(), memory_mb=memory_mb).environment
    assert environment["KAFKA_HEAP_OPTS"] == f"-Xms{heap_mb}m -Xmx{heap_mb}m"


def test_nothing_waits_for_copies_on_a_second_node():
    environment = family_of(kafka()).parts(kafka(), memory_mb=1024).environment
    copies = {name: value for name, value in environment.items() if re.search("REPLICATION_FACTOR|MIN_ISR", name)}
    assert len(copies) == 5
    assert set(copies.values()) == {"1"}
