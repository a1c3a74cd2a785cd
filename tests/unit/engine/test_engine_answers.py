"""Docker's answers as values, its refusals as errors of ours, its frames as lines."""

import asyncio
import struct

import aiodocker
import pytest

from deployd.engine.docker.edge import ask, translated
from deployd.engine.docker.frames import FrameLines
from deployd.engine.docker.read import read_event, read_listed_container, read_network, read_time
from deployd.engine.errors import (
    EngineOverran,
    EngineRefused,
    EngineUnreachable,
    NameTaken,
    NoSuchImage,
    NotRunning,
    NotThere,
    PortTaken,
    StillInUse,
    SubnetTaken,
)


@pytest.mark.parametrize(("status", "message", "kind"), [
    (404, "No such container: web", NotThere),
    (404, "No such image: php:9", NoSuchImage),
    (409, 'Conflict. The container name "/web" is already in use by container "1f"', NameTaken),
    (500, "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated", PortTaken),
    (500, "listen tcp 0.0.0.0:80: bind: address already in use", PortTaken),
    (403, "Pool overlaps with other one on this address space", SubnetTaken),
    (403, "error while removing network: network n id 1 has active endpoints", StillInUse),
    (409, "remove v: volume is in use - [1f]", StillInUse),
    (409, "Container 1f is not running", NotRunning),
    (900, "Cannot connect", EngineUnreachable),
    (500, "something else", EngineRefused),
])
def test_a_refusal_becomes_an_error_of_ours(status, message, kind):
    error = translated("do it", status, message)
    assert type(error) is kind
    assert error.what.startswith("cannot do it: ")


async def test_an_answer_that_does_not_come_has_a_limit():
    with pytest.raises(EngineOverran, match=r"cannot wait.*0\.01 s"):
        await ask("wait", asyncio.sleep(10), 0.01)


async def test_an_error_of_the_library_stops_at_the_edge():
    async def fail() -> None:
        raise aiodocker.DockerError(404, "No such image: x")

    with pytest.raises(NoSuchImage):
        await ask("look", fail())


@pytest.mark.parametrize(("state", "status", "running", "ended", "health"), [
    ("running", "Up 3 minutes", True, None, "none"),
    ("running", "Up 3 minutes (healthy)", True, None, "healthy"),
    ("running", "Up 1 second (health: starting)", True, None, "starting"),
    ("running", "Up 1 second (unhealthy)", True, None, "unhealthy"),
    ("restarting", "Restarting (1) 4 seconds ago", True, None, "none"),
    ("exited", "Exited (137) 2 hours ago", False, 137, "none"),
    ("created", "Created", False, None, "none"),
])
def test_a_listed_container_says_how_it_fares(state, status, running, ended, health):
    seen = read_listed_container({
        "Names": ["/other/alias", "/web"], "Id": "1f", "Image": "i", "ImageID": "sha256:1", "Labels": {"deployd": "x"},
        "State": state, "Status": status, "NetworkSettings": {"Networks": {"net": {"IPAddress": "10.0.0.2"}}},
    })
    assert (seen.name, seen.running, seen.exit_status, seen.health) == ("web", running, ended, health)
    assert seen.addresses == {"net": "10.0.0.2"}


def test_dockers_times_have_nanoseconds_and_a_zero():
    assert read_time("0001-01-01T00:00:00Z") is None
    time = read_time("2026-11-23T10:31:40.123456789Z")
    assert time is not None
    assert time.isoformat() == "2026-11-23T10:31:40.123456+00:00"


def test_a_network_without_addresses_has_no_subnet():
    assert read_network({"Name": "host", "Id": "1", "IPAM": {"Config": None}, "Labels": None}).subnet is None


def test_an_event_tells_who_and_what():
    event = read_event({"Type": "container", "Action": "die", "Actor": {
        "ID": "1f", "Attributes": {"name": "web", "exitCode": "1"},
    }})
    assert (event.kind, event.action, event.name, event.labels["exitCode"]) == ("container", "die", "web", "1")


def test_frames_become_lines_of_their_stream_however_they_are_cut():
    def frame(kind: int, data: bytes) -> bytes:
        return struct.pack(">BxxxL", kind, len(data)) + data

    whole = frame(1, b"one\ntw") + frame(2, b"bad\n") + frame(1, b"o\nend")
    for size in (1, 3, 7, len(whole)):
        lines = FrameLines()
        for start in range(0, len(whole), size):
            lines.feed(whole[start:start + size])
        lines.end()
        assert list(lines.ready) == [("stdout", "one"), ("stderr", "bad"), ("stdout", "two"), ("stdout", "end")]


def test_a_very_long_line_is_cut_with_a_mark():
    lines = FrameLines()
    data = b"x" * 100_000 + b"\nnext\n"
    lines.feed(struct.pack(">BxxxL", 1, len(data)) + data)
    assert [text[-4:] for _, text in lines.ready] == [" […]", "next"]
    assert len(lines.ready[0][1]) == 16_384 + 4
