"""Containers stand still by their control group's own file: beside health checks and execs, and whoever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from deployd.engine.docker.engine import Engine
from deployd.engine.docker.pause_keeper import is_paused
from deployd.engine.docker.pauses import KEEPER, pause_file
from deployd.engine.errors import NotPaused, NotRunning
from deployd.engine.specs import ContainerSpec, Health
from deployd.process import open_process, run

IMAGE = "deployd/base:trixie"
COUNTING = ("sh", "-c", "while :; do echo . >> /tmp/count; sleep 0.01; done")
HOLDER = """\
import asyncio, sys
from deployd.engine.docker.engine import Engine
async def main():
    async with Engine() as engine, engine.paused([sys.argv[1]], 60):
        print("paused", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with Engine() as found:
        yield found


@pytest.fixture
async def name(engine: Engine) -> AsyncIterator[str]:
    """A container that counts, and is asked each second by an exec how it is."""
    name = f"test-pause-{uuid.uuid4().hex[:8]}"
    await engine.ensure_container(ContainerSpec(
        name, IMAGE, {"deployd": name}, command=COUNTING, health=Health(("true",)), tmpfs={"/tmp": "rw"},
    ))
    await engine.wait_until_healthy(name, 60)
    yield name
    await engine.ensure_container_gone(name, stop_seconds=0)


async def file_of(engine: Engine, name: str) -> str:
    seen = await engine.container(name)
    assert seen is not None
    assert seen.pid is not None
    file = pause_file(seen.pid, seen.id)
    assert file is not None
    return str(file)


async def counted(engine: Engine, name: str) -> Callable[[], int]:
    """How far it has counted, asked of the kernel: the Engine answers nothing of a container in which it starts
    something, and what it starts stands still too."""
    seen = await engine.container(name)
    assert seen is not None
    return lambda: Path(f"/proc/{seen.pid}/root/tmp/count").stat().st_size


async def let_go_on(file: str) -> None:
    Path(file).write_text("THAWED" if file.endswith("freezer.state") else "0")
    await until(lambda: not is_paused(file))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_container_that_others_start_programs_in_stands_still_and_goes_on(engine: Engine, name: str) -> None:
    """In the Engine's own pause one of these programs soon hangs, and the container with it, for ever."""
    file, count = await file_of(engine, name), await counted(engine, name)
    ended, over = [], asyncio.Event()

    async def ask_on() -> None:
        while not over.is_set():
            ended.append(await engine.execute(name, ("true",), limit_seconds=30))

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        asking = [group.create_task(ask_on()) for _ in range(3)]
        for _ in range(12):
            async with engine.paused([name], 30):
                assert is_paused(file)
                stands = count()
                await asyncio.sleep(0.1)
                assert count() == stands
            assert not is_paused(file)
        over.set()
    assert all(task.done() for task in asking)
    assert len(ended) >= 12
    assert {(one.status, b"paused container" in one.stdout) for one in ended} <= {(0, False), (126, True)}, "runc knows"
    assert (await engine.execute(name, ("true",), limit_seconds=30)).status == 0
    seen = await engine.container(name)
    assert seen is not None
    assert (seen.running, seen.health) == (True, "healthy")


async def test_a_container_goes_on_when_who_paused_it_is_killed(engine: Engine, name: str) -> None:
    file = await file_of(engine, name)
    async with open_process(sys.executable, "-c", HOLDER, name) as holder:
        assert await holder.stdout.readline() == b"paused\n"
        assert is_paused(file)
        os.kill(holder.pid, signal.SIGKILL)
        await until(lambda: not is_paused(file))


async def test_a_container_goes_on_when_its_keeper_is_killed_and_the_copy_of_it_counts_for_nothing(
    engine: Engine, name: str,
) -> None:
    file = await file_of(engine, name)

    async def kill() -> None:
        both = keepers(file)
        [keeper] = [pid for pid in both if parent(pid) in both]
        os.kill(keeper, signal.SIGKILL)
        await until(lambda: not is_paused(file))

    with pytest.raises(NotPaused, match="was ended"):
        async with engine.paused([name], 60):
            await kill()


async def test_a_container_goes_on_at_its_limit_and_the_copy_of_it_counts_for_nothing(
    engine: Engine, name: str,
) -> None:
    file = await file_of(engine, name)
    with pytest.raises(NotPaused, match=r"after 0\.2 s"):
        async with engine.paused([name], 0.2):
            await until(lambda: not is_paused(file))

    with pytest.raises(NotPaused, match="somebody let them go on"):
        async with engine.paused([name], 60):
            await let_go_on(file)
    await engine.stop(name, 0)
    with pytest.raises(NotRunning):
        async with engine.paused([name], 60):
            raise AssertionError


async def test_what_a_daemon_before_us_paused_goes_on_by_file_or_by_the_engine(engine: Engine, name: str) -> None:
    file = await file_of(engine, name)
    Path(file).write_text("FROZEN" if file.endswith("freezer.state") else "1")
    await engine.ensure_going_on(name)
    assert not is_paused(file)
    await run("docker", "pause", name)
    await engine.ensure_going_on(name)
    assert not is_paused(file)
    assert (await engine.execute(name, ("true",), limit_seconds=30)).status == 0
    await engine.ensure_going_on(f"{name}-gone")


@pytest.fixture
def group_of_version_2() -> Iterator[Path]:
    root = next(root for root in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
                if (root / "cgroup.controllers").exists())
    made = root / f"test-pause-{uuid.uuid4().hex[:8]}"
    made.mkdir()
    yield made
    made.rmdir()


async def test_a_group_of_version_2_stands_still_and_goes_on_too(group_of_version_2: Path) -> None:
    file = str(group_of_version_2 / "cgroup.freeze")
    async with open_process("sleep", "60") as inside:
        (group_of_version_2 / "cgroup.procs").write_text(str(inside.pid))
        async with open_process(sys.executable, "-I", "-S", str(KEEPER), "60", file) as keeper:
            assert await keeper.stdout.readline() == b"paused\n"
            assert is_paused(file)
            keeper.stdin.close()
            assert await keeper.stdout.readline() == b"asked\n"
            assert not is_paused(file)
            await keeper.wait()


def keepers(file: str) -> list[int]:
    """Processes of the program that keeps this group still."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(KEEPER).encode() in words and file.encode() in words:
            found.append(int(folder.name))
    return found


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
