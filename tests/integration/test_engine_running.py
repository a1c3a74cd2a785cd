"""Commands in containers of Docker with somebody at their streams: what only a real kernel can show."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from deployd.engine.docker.engine import Engine
from deployd.engine.errors import EngineRefused
from deployd.engine.specs import ContainerSpec, RunAs, TerminalSize
from tests.support.engine_contract import IMAGE, TAKES_LONG, WAITS, read_all

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


async def processes(engine: Engine, container: str) -> str:
    """Command lines of all that runs in a container, but for what asks."""
    asking = 'for p in /proc/[0-9]*; do [ "${p#/proc/}" = $$ ] || tr "\\0" " " <"$p/cmdline"; echo; done 2>/dev/null'
    return (await engine.execute(container, ("sh", "-c", asking), USER)).stdout.decode()


async def test_a_terminal_has_the_size_that_it_is_told(engine: Engine, container: str) -> None:
    shell = ("sh", "-c", "trap 'stty size; exit 4' WINCH; tty; echo ready; while :; do sleep 0.05; done")
    first = TerminalSize(101, 37)
    async with asyncio.timeout(20), engine.open_command(container, shell, USER, terminal=first) as command:
        seen = b""
        while b"ready" not in seen:
            seen += (await command.read() or ("", b""))[1]
        assert b"/dev/pts/0" in seen
        await command.resize(TerminalSize(77, 21))
        more = seen + (await read_all(command))[0]
        assert b"37 101" in more or b"21 77" in more, "the first size is told as well"
        assert await command.wait() == 4


async def test_ctrl_c_on_a_terminal_reaches_what_runs_there(engine: Engine, container: str) -> None:
    async with asyncio.timeout(20), engine.open_command(
        container, ("sh", "-c", "echo ready; sleep 4321"), USER, terminal=TerminalSize(),
    ) as command:
        assert await command.read() == ("stdout", b"ready\r\n")
        await command.write(b"\x03")
        assert await read_all(command) == (b"^C", b"")
        assert await command.wait() == 130


async def test_all_that_a_command_started_ends_with_who_left_it(engine: Engine, container: str) -> None:
    left = (
        "sleep 1111 & nohup sleep 2222 >/dev/null 2>&1 & setsid sleep 3333 & sh -c 'trap \"\" HUP; sleep 4444; :' &"
        " echo ready; cat"
    )
    async with asyncio.timeout(20), engine.open_command(container, ("sh", "-c", left), USER) as command:
        assert await command.read() == ("stdout", b"ready\n")
        for number in ("1111", "2222", "3333", "4444"):
            assert f"sleep {number}" in await processes(engine, container)
    found = await processes(engine, container)
    assert "sleep 3333" in found, "it has a session of its own"
    assert not any(f"sleep {number}" in found for number in ("1111", "2222", "4444"))
    assert "trap" in found, "the container's own process goes on"


async def test_a_command_that_ended_leaves_nothing_either(engine: Engine, container: str) -> None:
    behind = ("sh", "-c", "sleep 5555 >/dev/null 2>&1 & exit 3")
    async with asyncio.timeout(20), engine.open_command(container, behind, USER) as command:
        assert await read_all(command) == (b"", b"")
        assert await command.wait() == 3
    assert "sleep 5555" not in await processes(engine, container)


async def test_output_that_is_read_late_is_whole(engine: Engine, container: str) -> None:
    writes = ("sh", "-c", "head -c 3000000 /dev/zero; echo end >&2")
    async with asyncio.timeout(30), engine.open_command(container, writes, USER) as command:
        await asyncio.sleep(1)
        out, error = await read_all(command)
        assert (len(out), error, await command.wait()) == (3_000_000, b"end\n", 0)


async def test_input_that_nobody_reads_keeps_nobody(engine: Engine, container: str) -> None:
    async with asyncio.timeout(20), engine.open_command(container, ("sh", "-c", "exit 5"), USER) as command:
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(command.write(b"x" * 50_000_000))
            assert await read_all(command) == (b"", b"")
            writing.cancel()
        assert await command.wait() == 5


async def test_much_input_arrives_whole(engine: Engine, container: str) -> None:
    counts = ("sh", "-c", "cat > /tmp/x; wc -c < /tmp/x")
    async with asyncio.timeout(30), engine.open_command(container, counts, USER) as command:
        for _ in range(80):
            await command.write(b"y" * 100_000)
        command.end_input()
        assert await read_all(command) == (b"8000000\n", b"")


async def test_what_is_not_there_cannot_be_begun(engine: Engine, container: str) -> None:
    async with asyncio.timeout(20), engine.open_command(container, ("/no/such/program",), USER) as command:
        with pytest.raises(EngineRefused, match="no such file"):
            await command.read()
        with pytest.raises(EngineRefused, match="no such file"):
            await command.wait_until_begun()


async def test_a_container_that_goes_takes_its_commands_along(engine: Engine, container: str) -> None:
    async with asyncio.timeout(20), engine.open_command(container, TAKES_LONG, USER) as command:
        await command.wait_until_begun()
        await engine.stop(container, 0)
        assert await read_all(command) == (b"", b"")
        assert await command.wait() == 137


async def test_a_command_says_the_engines_words_itself(engine: Engine, container: str) -> None:
    words = "OCI runtime exec failed: exec failed: cannot exec in a paused container"
    says = ("sh", "-c", f"echo '{words}'; exit 126")
    async with asyncio.timeout(20), engine.open_command(container, says, USER) as command:
        assert await read_all(command) == (f"{words}\n".encode(), b"")
        assert await command.wait() == 126
