"""Programs that are left in the middle: whoever stops reading, or writing, does not wait for ever."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from deployd.child import Child
from deployd.process import ProgramMissing, ProgramOverran, open_process, run

LIMIT_SECONDS = 20.0


async def test_who_stops_in_the_middle_of_a_long_output_goes_on() -> None:
    for output in ("yes", "yes >&2", "yes & yes >&2"):
        async with asyncio.timeout(LIMIT_SECONDS), open_process("sh", "-c", output, with_stdin=False) as process:
            await asyncio.sleep(0.2)   # the reader's buffer is full, and nobody listens to the pipe any more
        assert process.has_ended


async def test_who_is_cancelled_in_the_middle_of_a_long_output_goes_on() -> None:
    async def begin() -> None:
        async with open_process("yes", with_stdin=False) as process:
            await process.stdout.read(1)
            await asyncio.sleep(LIMIT_SECONDS)

    async with asyncio.timeout(LIMIT_SECONDS):
        task = asyncio.get_running_loop().create_task(begin())
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_who_had_more_to_write_than_is_read_goes_on() -> None:
    """Also when somebody whom it started, in a session of its own, has the other end still open."""
    async with asyncio.timeout(LIMIT_SECONDS):
        async with open_process("sh", "-c", "setsid sleep 1 & exec sleep 100") as process:
            process.stdin.write(bytes(5_000_000))
            await asyncio.sleep(0.1)
        async with open_process("sleep", "100") as process:
            process.stdin.write(bytes(5_000_000))
            process.stdin.close()
        with pytest.raises(ProgramOverran):
            await run("sleep", "100", stdin=bytes(5_000_000), limit_seconds=0.2)


async def test_what_has_ended_by_itself_has_its_status() -> None:
    async with open_process("sh", "-c", "echo out; echo err >&2; exit 3") as process:
        assert await process.stdout.read() == b"out\n"
        assert await process.wait() == 3
    assert process.has_ended
    assert (await run("sh", "-c", "head -c 1; exit 4", stdin=bytes(1_000_000), check=False)).status == 4


@pytest.mark.parametrize("run_loop", [asyncio.run, uvloop.run])
def test_nothing_is_left_of_what_was_started_however_early_it_was_cancelled(
    run_loop: Callable[[Awaitable[None]], None],
) -> None:
    """Neither a process, nor a descriptor; on both loops that there are."""
    async def begin() -> None:
        async with open_process("sleep", "100") as process:
            process.stdin.write(b"x" * 1_000_000)
            await asyncio.sleep(100)

    async def cancelled(turns: int) -> None:
        task = asyncio.get_running_loop().create_task(begin())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def main() -> None:
        await cancelled(50)
        before = descriptors()
        async with asyncio.timeout(LIMIT_SECONDS):
            for turns in (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 20):
                await cancelled(turns)
            for _ in range(20):
                assert (await run("sh", "-c", "cat; echo $0 >&2", stdin=b"in", check=False)).text == "in"
            await asyncio.sleep(0.05)   # streams close their pipes in the loop's next turns
        assert descriptors() == before
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        assert [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"] == []

    run_loop(main())


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


async def test_one_that_is_not_there_is_told() -> None:
    with pytest.raises(ProgramMissing):
        await run("no-program-of-anybody")
    with pytest.raises(FileNotFoundError):
        await run("true", cwd="/no/folder/of/anybody")


def test_a_pipe_that_libuv_closes_is_not_closed_again() -> None:
    async def main() -> None:
        child = Child(("true",), cwd=None, env=None, with_stdin=True)
        taken = child._take()
        number = taken.fileno()
        taken.close()
        os.fstat(number)
        os.close(number)
        child.close()
        await child.wait()

    uvloop.run(main())
