"""What every engine promises (`deployd/engine/engine.py`): the same questions for the double and for a real one.

A test module of an engine makes a class of `EngineContract` that hands it in. Nothing here knows which one it is.
"""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from deployd.engine.engine import Engine, RunningCommand
from deployd.engine.errors import (
    EngineOverran,
    EngineRefused,
    EngineUnreachable,
    NameTaken,
    NoSuchImage,
    NotReady,
    NotRunning,
    NotThere,
    StandsStill,
    StillInUse,
    SubnetTaken,
)
from deployd.engine.specs import (
    AS_ITSELF,
    Bind,
    ContainerSpec,
    Health,
    Network,
    NetworkOf,
    NetworkSpec,
    RunAs,
    TerminalSize,
    VolumeSpec,
)
from deployd.engine.subnets import next_subnet
from deployd.frames import FrameReader

IMAGE = "deployd/base:trixie"
POOL = "10.213.0.0/16"
PORT, SOCKET = 8017, "/tmp/socket"
"""What SERVES listens on."""
LOOP = "while :; do sleep 0.05; done"
WAITS = ("sh", "-c", f"trap 'exit 0' TERM; echo begun; {LOOP}")
"""Prints `begun`; ends with 0 when it is asked to."""
DEAF = ("sh", "-c", f"trap '' TERM; echo begun; {LOOP}")
"""Prints `begun`; goes on when it is asked to end."""
FAILS = ("sh", "-c", "echo no; echo never >&2; exit 3")
HEARS = ("sh", "-c", f"trap 'echo got; exit 5' USR1; echo begun; {LOOP}")
SERVES = ("perl", "-e", (
    f"use Socket; $| = 1; socket(A, PF_INET, SOCK_STREAM, 0); bind(A, sockaddr_in({PORT}, INADDR_ANY)); listen(A, 5);"
    f"socket(B, PF_UNIX, SOCK_STREAM, 0); bind(B, sockaddr_un('{SOCKET}')); listen(B, 5); print qq(begun\\n); sleep"
))
"""Prints `begun` when it listens on PORT and SOCKET."""
TELLS = ("sh", "-c", "cat; echo $WHO $(id -u) $(pwd); echo bad >&2; exit 7")
"""Its input, then WHO, its user and its folder."""
TAKES_LONG = ("sleep", "4321")
EATS = ("tail", "/dev/zero")
"""Keeps what may be the last line in memory, until there is none left."""
WELL, UNWELL = ("true",), ("false",)


def spec(name: str, part: str = "a", **values: object) -> ContainerSpec:
    made = ContainerSpec(f"{name}-{part}", IMAGE, {"deployd": name}, command=WAITS)
    return replace(made, **values)   # type: ignore[arg-type]


async def read_streams(command: RunningCommand) -> bytes:
    """All that comes from its socket."""
    streams, loop = command.streams, asyncio.get_running_loop()
    assert streams is not None
    found = b""
    while chunk := await loop.sock_recv(streams, 65_536):
        found += chunk
    return found


async def read_all(command: RunningCommand) -> tuple[bytes, bytes]:
    """What it writes from now on to its standard output, and to its standard error."""
    written = {"stdout": b"", "stderr": b""}
    for stream, data in FrameReader().feed(await read_streams(command)):
        written[stream] += data
    return written["stdout"], written["stderr"]


async def send(command: RunningCommand, data: bytes) -> None:
    assert command.streams is not None
    await asyncio.get_running_loop().sock_sendall(command.streams, data)


@asynccontextmanager
async def started(
    engine: Engine, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF, terminal: TerminalSize | None = None,
) -> AsyncIterator[RunningCommand]:
    """A command, and in the end nothing of it."""
    async with asyncio.timeout(20):
        command = await engine.start_command(name, argv, run_as, terminal=terminal)
        try:
            yield command
        finally:
            assert command.streams is not None
            command.streams.close()
            await command.end()


async def until_printed(engine: Engine, name: str, line: str) -> None:
    async with asyncio.timeout(20):
        while line not in await engine.last_lines(name):
            await asyncio.sleep(0.02)


class EngineContract:
    """A class of an engine says what `engine` is, and `away`: one to which nobody answers."""

    @pytest.fixture
    async def mine(self, engine: Engine) -> AsyncIterator[str]:
        """The name and label of what a test makes."""
        name = f"test-engine-{uuid.uuid4().hex[:8]}"
        yield name
        for container in await engine.containers({"deployd": name}):
            await engine.ensure_container_gone(container.name, stop_seconds=0)
        for network in await engine.networks({"deployd": name}):
            await engine.ensure_network_gone(network.name)
        for volume in await engine.volumes({"deployd": name}):
            await engine.ensure_volume_gone(volume.name)

    @pytest.fixture
    async def network(self, engine: Engine, mine: str) -> NetworkSpec:
        used = [subnet for item in await engine.networks({}) for subnet in item.subnets]
        return NetworkSpec(f"{mine}-net", next_subnet(POOL, 26, used), {"deployd": mine})

    # Have this run, and see what becomes of it.

    async def test_a_container_is_ensured_twice_seen_stopped_and_gone(self, engine: Engine, mine: str) -> None:
        first = await engine.ensure_container(spec(mine))
        second = await engine.ensure_container(spec(mine))
        assert first.id == second.id
        assert first.running
        assert first.has_process
        assert first.started_at
        assert first.exit_status is None
        assert await engine.container(first.id) == await engine.container(first.name)
        (listed,) = await engine.containers({"deployd": mine})
        assert (listed.name, listed.id, listed.running, listed.image_id) == (
            first.name, first.id, True, first.image_id,
        )
        assert await engine.container(first.id[:12]) is None, "the beginning of an id is no name"
        await until_printed(engine, first.name, "begun")   # before that it knows no SIGTERM
        await engine.stop(first.name, 5)
        seen = await engine.container(first.name)
        assert seen is not None
        assert (seen.running, seen.exit_status, seen.has_process) == (False, 0, False)
        assert (await engine.containers({"deployd": mine}))[0].exit_status == 0
        assert (await engine.ensure_container(spec(mine))).running
        await engine.ensure_container_gone(first.name, stop_seconds=5)
        await engine.ensure_container_gone(first.name)
        await engine.stop(first.name)
        assert await engine.container(first.name) is None

    async def test_a_container_is_created_first_and_started_later(self, engine: Engine, mine: str) -> None:
        await engine.create(spec(mine))
        await engine.create(spec(mine))
        seen = await engine.container(f"{mine}-a")
        assert seen is not None
        assert (seen.running, seen.exit_status, seen.started_at) == (False, None, None)
        await engine.start(seen.name)
        await engine.start(seen.name)
        assert (await engine.wait_until_healthy(seen.name, 5)).running

    async def test_what_runs_once_tells_how_it_ended(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine, command=FAILS))
        assert await engine.wait_until_ended(f"{mine}-a", 20) == 3
        assert await engine.wait_until_ended(f"{mine}-a", 20) == 3, "it may have ended before"
        seen = await engine.container(f"{mine}-a")
        assert seen is not None
        assert (seen.running, seen.exit_status, seen.has_ended, seen.addresses) == (False, 3, True, {})
        await engine.ensure_container(spec(mine, "b"))
        with pytest.raises(EngineOverran):
            await engine.wait_until_ended(f"{mine}-b", 0.3)

    async def test_one_that_does_not_end_when_it_is_asked_to_is_killed(self, engine: Engine, mine: str) -> None:
        seen = await engine.ensure_container(spec(mine, command=DEAF))
        await until_printed(engine, seen.name, "begun")
        await engine.stop(seen.name, 1)
        await engine.wait_until_dead(seen)
        assert await engine.wait_until_ended(seen.name, 5) == 137

    async def test_another_specification_leaves_a_container_as_it_is(self, engine: Engine, mine: str) -> None:
        first = await engine.ensure_container(spec(mine))
        again = await engine.ensure_container(spec(mine, labels={"deployd": mine, "more": "x"}))
        assert (again.id, again.labels) == (first.id, first.labels)

    async def test_all_labels_that_are_asked_for_are_carried(self, engine: Engine, mine: str) -> None:
        await engine.create(spec(mine, labels={"deployd": mine, "part": "a", "more": "x"}))
        await engine.create(spec(mine, "b", labels={"deployd": mine, "part": "b"}))
        assert [seen.name for seen in await engine.containers({"deployd": mine, "part": "a"})] == [f"{mine}-a"]
        assert {seen.name for seen in await engine.containers({"deployd": mine})} == {f"{mine}-a", f"{mine}-b"}
        assert await engine.containers({"deployd": mine, "part": "c"}) == ()

    async def test_a_container_gets_another_name(self, engine: Engine, mine: str) -> None:
        first = await engine.ensure_container(spec(mine))
        await engine.ensure_renamed(f"{mine}-a", f"{mine}-b")
        await engine.ensure_renamed(f"{mine}-a", f"{mine}-b")
        seen = await engine.container(f"{mine}-b")
        assert seen is not None
        assert (seen.id, seen.running) == (first.id, True)
        assert await engine.container(f"{mine}-a") is None
        await engine.create(spec(mine))
        with pytest.raises(NameTaken):
            await engine.ensure_renamed(f"{mine}-a", f"{mine}-b")
        with pytest.raises(NotThere):
            await engine.ensure_renamed(f"{mine}-none", f"{mine}-no")

    async def test_a_signal_reaches_the_first_process(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine, command=HEARS))
        await until_printed(engine, f"{mine}-a", "begun")
        await engine.send_signal(f"{mine}-a", "SIGUSR1")
        await until_printed(engine, f"{mine}-a", "got")
        assert await engine.wait_until_ended(f"{mine}-a", 10) == 5

    async def test_the_same_situation_is_the_same_error(self, engine: Engine, mine: str) -> None:
        with pytest.raises(NoSuchImage):
            await engine.ensure_container(spec(mine, image="deployd/no-such:1"))
        with pytest.raises(EngineRefused):
            await engine.ensure_container(spec(mine, binds=(Bind("/no/such/folder", "/x"),)))
        assert await engine.containers({"deployd": mine}) == ()
        none = f"{mine}-none"
        for call in (
            engine.start(none), engine.execute(none, WELL), engine.start_detached(none, WELL),
            engine.send_signal(none, "SIGUSR1"), engine.wait_until_ended(none, 5),
        ):
            with pytest.raises(NotThere):
                await call
        await engine.create(spec(mine))
        ended = f"{mine}-a"
        for call in (
            engine.execute(ended, WELL), engine.start_detached(ended, WELL), engine.send_signal(ended, "SIGUSR1"),
        ):
            with pytest.raises(NotRunning):
                await call

    async def test_nobody_who_answers_is_said_so(self, away: Engine) -> None:
        with pytest.raises(EngineUnreachable):
            await away.container("any")
        with pytest.raises(EngineUnreachable):
            await away.version()

    # Whether it is ready.

    async def test_readiness_is_waited_for(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine, health=Health(WELL, interval_seconds=0.2)))
        assert (await engine.wait_until_healthy(f"{mine}-a", 20)).health == "healthy"
        assert (await engine.containers({"deployd": mine}))[0].health == "healthy"

    async def test_what_does_not_become_ready_says_why(self, engine: Engine, mine: str) -> None:
        never = Health(UNWELL, interval_seconds=0.2)
        await engine.ensure_container(spec(mine, "slow", health=never))
        await until_printed(engine, f"{mine}-slow", "begun")
        with pytest.raises(NotReady) as caught:
            await engine.wait_until_healthy(f"{mine}-slow", 1)
        assert caught.value.evidence == ("begun",)
        await engine.ensure_container(spec(mine, "dead", health=never, command=FAILS))
        with pytest.raises(NotReady):
            await engine.wait_until_healthy(f"{mine}-dead", 20)
        with pytest.raises(NotReady):
            await engine.wait_until_healthy(f"{mine}-none", 20)
        await engine.ensure_container(spec(mine, "loop", command=FAILS, restart="always", health=never))
        with pytest.raises(NotReady):
            await engine.wait_until_healthy(f"{mine}-loop", 30)

    async def test_one_that_ends_is_started_again_when_it_shall_be(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine, command=FAILS, restart="on-failure"))
        async with asyncio.timeout(20):
            while (seen := await engine.container(f"{mine}-a")) is None or not seen.restarts:
                await asyncio.sleep(0.05)
        await engine.stop(f"{mine}-a", 0)
        await asyncio.sleep(0.5)
        seen = await engine.container(f"{mine}-a")
        assert seen is not None
        assert not seen.running, "not after somebody has stopped it"

    # Run this in it.

    async def test_a_command_has_its_input_environment_user_and_both_streams(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine))
        result = await engine.execute(
            f"{mine}-a", TELLS, RunAs("4242", {"WHO": "me"}, "/usr"), stdin=b"hello\n",
        )
        assert (result.status, result.stdout, result.stderr) == (7, b"hello\nme 4242 /usr\n", b"bad\n")
        assert (await engine.execute(f"{mine}-a", WELL)).status == 0
        assert (await engine.execute(f"{mine}-a", UNWELL)).status == 1

    async def test_a_command_that_takes_too_long_is_ended(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine))
        with pytest.raises(EngineOverran):
            await engine.execute(f"{mine}-a", TAKES_LONG, limit_seconds=0.5)
        await engine.start_detached(f"{mine}-a", TAKES_LONG)   # nobody waits for this one
        assert (await engine.execute(f"{mine}-a", WELL)).status == 0

    async def test_a_command_takes_its_input_as_it_comes(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine))
        run_as = RunAs("4242", {"WHO": "me"}, "/usr")
        async with started(engine, f"{mine}-a", TELLS, run_as) as command:
            assert command.streams is not None
            for piece in (b"hel", b"lo\n"):
                await send(command, piece)
            command.streams.shutdown(socket.SHUT_WR)
            assert await read_all(command) == (b"hello\nme 4242 /usr\n", b"bad\n")
            await command.wait_until_over()
            assert await command.wait() == 7
            await command.send_signal("SIGTERM")
            await command.resize(TerminalSize(100, 50))
            found = await engine.find_command(command.id)
            assert found is not None
            assert (found.streams, await found.wait()) == (None, 7)
            await found.end()

    async def test_on_a_terminal_all_output_is_one(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine))
        async with started(engine, f"{mine}-a", FAILS, terminal=TerminalSize(100, 50)) as command:
            await command.resize(TerminalSize(90, 50))
            assert await read_streams(command) == b"no\r\nnever\r\n"
            assert await command.wait() == 3

    async def test_a_command_is_signalled_by_who_finds_it_again(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine))
        async with started(engine, f"{mine}-a", TAKES_LONG) as command:
            found = await engine.find_command(command.id)
            assert found is not None
            await found.send_signal("SIGTERM")
            assert await read_all(command) == (b"", b"")
            await found.wait_until_over()
            assert await command.wait() == 143
            await found.end()
        assert await engine.find_command("0" * 64) is None

    async def test_a_command_that_is_left_is_ended(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine))
        async with started(engine, f"{mine}-a", TAKES_LONG) as command:
            pass
        assert await command.wait() in (129, 137)

    async def test_nothing_begins_in_a_container_that_is_paused(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine))
        async with asyncio.timeout(20), engine.paused([f"{mine}-a"], 20):
            for terminal in (None, TerminalSize()):
                with pytest.raises(StandsStill):
                    await engine.start_command(f"{mine}-a", WELL, terminal=terminal)
        async with started(engine, f"{mine}-a", WELL) as command:
            assert await command.wait() == 0

    async def test_a_command_needs_a_container_that_runs(self, engine: Engine, mine: str) -> None:
        with pytest.raises(NotThere):
            await engine.start_command(f"{mine}-none", WELL)
        await engine.create(spec(mine))
        with pytest.raises(NotRunning):
            await engine.start_command(f"{mine}-a", WELL)

    async def test_what_was_killed_for_want_of_memory_is_known(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine, memory_bytes=32 * 1024 * 1024))
        assert not await engine.ran_out_of_memory(f"{mine}-a")
        assert (await engine.execute(f"{mine}-a", EATS)).status == 137
        assert await engine.ran_out_of_memory(f"{mine}-a")
        assert not await engine.ran_out_of_memory(f"{mine}-none")

    # What it prints, and what happens to it.

    async def test_what_it_prints_is_read_and_lies_in_a_file(self, engine: Engine, mine: str) -> None:
        seen = await engine.ensure_container(spec(mine, command=FAILS))
        await engine.wait_until_ended(seen.name, 20)
        assert sorted(await engine.last_lines(seen.name)) == ["never", "no"]
        assert len(await engine.last_lines(seen.name, 1)) == 1
        assert await engine.last_lines(f"{mine}-none") == ()
        rows = [json.loads(line) for line in (await engine.log_file(seen.id)).read_text().splitlines()]
        assert sorted((row["stream"], row["log"]) for row in rows) == [("stderr", "never\n"), ("stdout", "no\n")]
        assert all(row["time"].startswith("20") for row in rows)

    async def test_events_of_our_own_things_are_followed(self, engine: Engine, mine: str) -> None:
        async with asyncio.timeout(20), engine.events({"deployd": mine}) as events:
            await engine.ensure_container(spec(mine, command=FAILS))
            await engine.wait_until_ended(f"{mine}-a", 20)
            await engine.ensure_container_gone(f"{mine}-a", 0)
            seen = []
            while not seen or seen[-1].action != "destroy":
                event = await events.take()
                assert event is not None
                seen.append(event)
        actions = [event.action for event in seen]
        assert [action for action in actions if action in ("create", "start", "die", "destroy")] == [
            "create", "start", "die", "destroy",
        ]
        assert {(event.kind, event.name, event.labels["deployd"]) for event in seen} == {
            ("container", f"{mine}-a", mine),
        }

    # What the kernel knows of it.

    async def test_who_listens_is_seen_as_long_as_it_lives(self, engine: Engine, mine: str) -> None:
        seen = await engine.ensure_container(spec(mine, command=SERVES, tmpfs={"/tmp": "rw"}))
        await until_printed(engine, seen.name, "begun")
        assert await engine.is_alive(seen)
        assert await engine.is_listening(seen, PORT)
        assert await engine.is_listening(seen, SOCKET)
        assert not await engine.is_listening(seen, PORT + 1)
        assert await engine.listening_ports(seen) == (PORT,)
        assert await engine.connections_to([seen], PORT, SOCKET) == 0
        await engine.stop(seen.name, 0)
        await engine.wait_until_dead(seen)
        assert not await engine.is_alive(seen)
        assert not await engine.is_listening(seen, PORT)
        assert await engine.listening_ports(seen) == ()
        assert not await engine.listens_itself(seen, 1, PORT)
        assert await engine.connections_to([seen], PORT, SOCKET) == 0
        assert not await engine.has_mounted(seen, Path("/tmp"), "tmpfs")

    async def test_what_is_mounted_is_seen_as_the_container_sees_it(self, engine: Engine, mine: str) -> None:
        seen = await engine.ensure_container(spec(mine, tmpfs={"/srv": "rw"}))
        assert await engine.has_mounted(seen, Path("/srv"), "tmpfs")
        assert not await engine.has_mounted(seen, Path("/srv"), "squashfs")
        assert not await engine.has_mounted(seen, Path("/media"), "tmpfs")

    async def test_containers_stand_still_and_go_on(self, engine: Engine, mine: str) -> None:
        await engine.ensure_container(spec(mine))
        async with engine.paused([f"{mine}-a"], 20):
            pass
        assert (await engine.execute(f"{mine}-a", WELL)).status == 0
        await engine.ensure_going_on(f"{mine}-a")
        await engine.ensure_going_on(f"{mine}-none")
        await engine.stop(f"{mine}-a", 0)
        with pytest.raises(NotRunning):
            async with engine.paused([f"{mine}-a"], 20):
                raise AssertionError
        with pytest.raises(NotThere):
            async with engine.paused([f"{mine}-none"], 20):
                raise AssertionError

    # Networks.

    async def test_a_network_keeps_its_subnet_and_goes_when_it_is_empty(
        self, engine: Engine, mine: str, network: NetworkSpec,
    ) -> None:
        seen = await engine.ensure_network(network)
        assert (await engine.ensure_network(network)).id == seen.id
        assert (seen.subnet, seen.labels) == (network.subnet, {"deployd": mine})
        assert seen.bridge
        assert await engine.network(network.name) == seen
        assert await engine.networks({"deployd": mine}) == (seen,)
        with pytest.raises(SubnetTaken):
            await engine.ensure_network(replace(network, name=f"{mine}-other"))
        container = await engine.ensure_container(spec(mine, network=Network(network.name)))
        assert container.addresses[network.name].rsplit(".", 1)[0] == network.subnet.rsplit(".", 1)[0]
        with pytest.raises(StillInUse):
            await engine.ensure_network_gone(network.name)
        await engine.ensure_container_gone(container.name, stop_seconds=0)
        await engine.ensure_network_gone(network.name)
        await engine.ensure_network_gone(network.name)
        assert await engine.network(network.name) is None

    async def test_a_container_keeps_the_address_that_it_was_created_with(
        self, engine: Engine, mine: str, network: NetworkSpec,
    ) -> None:
        await engine.ensure_network(network)
        address = network.subnet.replace(".0/26", ".40").replace(".64/26", ".104").replace(
            ".128/26", ".168").replace(".192/26", ".232")
        await engine.create(spec(mine, network=Network(network.name, address)))
        created = await engine.container(f"{mine}-a")
        assert created is not None
        assert (created.own_addresses, created.addresses) == ({network.name: address}, {})
        for _ in range(2):
            await engine.start(f"{mine}-a")
            (listed,) = await engine.containers({"deployd": mine})
            assert listed.addresses == {network.name: address}
            await engine.stop(f"{mine}-a", 0)

    async def test_a_container_without_its_network_does_not_start(self, engine: Engine, mine: str) -> None:
        await engine.create(spec(mine, network=Network(f"{mine}-none")))
        with pytest.raises(NotThere):
            await engine.start(f"{mine}-a")

    async def test_one_lives_in_the_network_of_another_that_has_to_run(
        self, engine: Engine, mine: str, network: NetworkSpec,
    ) -> None:
        await engine.ensure_network(network)
        inside = spec(mine, "in", command=SERVES, network=NetworkOf(f"{mine}-a"), tmpfs={"/tmp": "rw"})
        await engine.create(inside)
        with pytest.raises(NotThere):
            await engine.start(inside.name)
        await engine.ensure_container_gone(inside.name, 0)
        await engine.create(spec(mine, network=Network(network.name)))
        await engine.create(inside)
        with pytest.raises(EngineRefused):
            await engine.start(inside.name)
        first = await engine.ensure_container(spec(mine, network=Network(network.name)))
        seen = await engine.ensure_container(inside)
        assert seen.addresses == {}
        await until_printed(engine, inside.name, "begun")
        assert await engine.is_listening(first, PORT), "asked of the one whose network it is"
        await engine.stop(inside.name, 0)
        await engine.ensure_container_gone(first.name, 0)
        await engine.ensure_container(spec(mine, network=Network(network.name)))
        with pytest.raises(NotThere):   # that one has its name, and is another one
            await engine.start(inside.name)

    # Volumes and images.

    async def test_a_volume_is_ensured_in_use_and_gone(self, engine: Engine, mine: str) -> None:
        wanted = VolumeSpec(f"{mine}-v", {"deployd": mine})
        await engine.ensure_volume(wanted)
        await engine.ensure_volume(wanted)
        (seen,) = await engine.volumes({"deployd": mine})
        assert (seen.name, seen.labels) == (wanted.name, {"deployd": mine})
        assert seen.folder.is_absolute()
        await engine.create(spec(mine, binds=(Bind(wanted.name, "/v"),)))
        with pytest.raises(StillInUse):
            await engine.ensure_volume_gone(wanted.name)
        await engine.ensure_container_gone(f"{mine}-a", stop_seconds=0)
        await engine.ensure_volume_gone(wanted.name)
        await engine.ensure_volume_gone(wanted.name)
        assert await engine.volumes({"deployd": mine}) == ()

    async def test_an_image_is_looked_at(self, engine: Engine) -> None:
        image = await engine.image(IMAGE)
        assert image is not None
        assert image.id.startswith("sha256:")
        assert image.size_bytes > 1_000_000
        assert await engine.image(image.id) == image
        assert await engine.image("deployd/no-such:1") is None
        assert await engine.remove_image("deployd/no-such:1"), "gone already is fine"
        assert all(item.id != image.id for item in await engine.replaced_images())
        assert await engine.images_bytes() >= image.size_bytes / 2, "layers that several have count once"

    async def test_an_engine_says_its_version(self, engine: Engine) -> None:
        assert await engine.version()
