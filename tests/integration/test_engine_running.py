"""Commands in containers of Docker whose streams are a socket: what only a real kernel can show."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from deployd.engine.docker.engine import Engine
from deployd.engine.engine import RunningCommand
from deployd.engine.errors import EngineRefused
from deployd.engine.specs import ContainerSpec, RunAs, TerminalSize
from tests.support.engine_contract import IMAGE, TAKES_LONG, WAITS, read_all, read_streams, send, started

USER = RunAs("4242:4242")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with Engine() as found:
        yield found


@pytest.fixture
async def container(engine: Engine) -> AsyncIterator[str]:
    name = f"test-running-{uuid.uuid4().hex[:8]}"
    await engine.ensure_container(ContainerSpec(
        name, IMAGE, {"deployd": name}, command=WAITS, user="4242:4242", tmpfs={"/tmp": "rw,exec"},
    ))
    yield name
    await engine.ensure_container_gone(name, stop_seconds=0)


def sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


async def processes(engine: Engine, container: str) -> str:
    """Command lines of all that runs in a container, but for what asks."""
    asking = 'for p in /proc/[0-9]*; do [ "${p#/proc/}" = $$ ] || tr "\\0" " " <"$p/cmdline"; echo; done 2>/dev/null'
    return (await engine.execute(container, sh(asking), USER)).stdout.decode()


async def read_until(command: RunningCommand, word: bytes) -> bytes:
    found = b""
    assert command.streams is not None
    while word not in found:
        chunk = await asyncio.get_running_loop().sock_recv(command.streams, 65_536)
        assert chunk, found
        found += chunk
    return found


async def test_a_terminal_has_the_size_that_it_is_told(engine: Engine, container: str) -> None:
    shell = sh("trap 'stty size' WINCH; tty; echo ready; while :; do sleep 0.05; done")
    async with started(engine, container, shell, USER, TerminalSize(101, 37)) as command:
        assert b"/dev/pts/0" in await read_until(command, b"ready")
        await command.resize(TerminalSize(77, 21))
        await read_until(command, b"21 77")


async def test_ctrl_c_on_a_terminal_reaches_what_runs_there(engine: Engine, container: str) -> None:
    async with started(engine, container, sh("echo ready; sleep 4321"), USER, TerminalSize()) as command:
        await read_until(command, b"ready\r\n")
        await send(command, b"\x03")
        assert await read_streams(command) == b"^C"
        assert await command.wait() == 130


async def test_all_that_a_command_started_ends_with_who_left_it(engine: Engine, container: str) -> None:
    left = sh(
        "sleep 1111 & nohup sleep 2222 >/dev/null 2>&1 & setsid sleep 3333 & sh -c 'trap \"\" HUP; sleep 4444; :' &"
        " echo ready; cat"
    )
    async with started(engine, container, left, USER) as command:
        await read_until(command, b"ready")
        for number in ("1111", "2222", "3333", "4444"):
            assert f"sleep {number}" in await processes(engine, container)
    found = await processes(engine, container)
    assert "sleep 3333" in found, "it has a session of its own"
    assert not any(f"sleep {number}" in found for number in ("1111", "2222", "4444"))
    assert "trap" in found, "the container's own process goes on"


async def test_a_command_that_ended_leaves_nothing_either(engine: Engine, container: str) -> None:
    async with started(engine, container, sh("sleep 5555 >/dev/null 2>&1 & exit 3"), USER) as command:
        assert await read_all(command) == (b"", b"")
        assert await command.wait() == 3
    assert "sleep 5555" not in await processes(engine, container)


async def test_what_somebody_else_began_is_ended_by_who_finds_it(engine: Engine, container: str) -> None:
    async with started(engine, container, sh("sleep 6666 & sleep 7777"), USER) as command:
        async with Engine() as later:
            found = await later.find_command(command.id)
            assert found is not None
            await found.end()
        assert await read_all(command) == (b"", b"")
        assert await command.wait() == 129
    assert "sleep 6666" not in await processes(engine, container)


async def test_the_first_output_is_not_lost_with_the_answer(engine: Engine, container: str) -> None:
    async with started(engine, container, sh("head -c 3000000 /dev/zero; echo end >&2"), USER) as command:
        await asyncio.sleep(0.5)
        out, error = await read_all(command)
        assert (len(out), error, await command.wait()) == (3_000_000, b"end\n", 0)


async def test_the_end_of_one_that_reads_no_input_is_heard(engine: Engine, container: str) -> None:
    async with started(engine, container, sh("sleep 0.5; exit 5"), USER) as command:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await send(command, b"x" * 50_000_000)
        await command.wait_until_over()
        assert command.streams is not None
        command.streams.close()
        assert await command.wait() == 5


async def test_much_input_arrives_whole(engine: Engine, container: str) -> None:
    async with started(engine, container, sh("cat > /tmp/x; wc -c < /tmp/x"), USER) as command:
        for _ in range(80):
            await send(command, b"y" * 100_000)
        assert command.streams is not None
        command.streams.shutdown(socket.SHUT_WR)
        assert await read_all(command) == (b"8000000\n", b"")


async def test_what_is_not_there_cannot_be_begun(engine: Engine, container: str) -> None:
    for terminal in (None, TerminalSize()):
        with pytest.raises(EngineRefused, match="no such file"):
            await engine.start_command(container, ("/no/such/program",), USER, terminal=terminal)


async def test_a_container_that_goes_takes_its_commands_along(engine: Engine, container: str) -> None:
    async with started(engine, container, TAKES_LONG, USER) as command:
        await engine.stop(container, 0)
        assert await read_all(command) == (b"", b"")
        await command.wait_until_over()
        assert await command.wait() == 137


async def test_a_command_may_say_the_engines_words_itself(engine: Engine, container: str) -> None:
    words = "OCI runtime exec failed: exec failed: cannot exec in a paused container"
    async with started(engine, container, sh(f"echo '{words}'; exit 126"), USER) as command:
        assert await read_all(command) == (f"{words}\n".encode(), b"")
        assert await command.wait() == 126


async def test_nothing_is_asked_of_the_engine_over_the_streams(engine: Engine, container: str) -> None:
    """Whoever has the socket is trusted with less than we are."""
    request = b"GET /containers/json HTTP/1.1\r\nHost: docker\r\n\r\n"
    async with started(engine, container, sh("exit 0"), USER) as command:
        with suppress(OSError):
            await send(command, request)
        await command.wait_until_over()
        with suppress(OSError):
            await send(command, request * 100)
        answer = b""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(3):
                answer = await read_streams(command)
        assert b"HTTP" not in answer
