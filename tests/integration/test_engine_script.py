"""Scripts in real containers: followed, found again, lost, ended."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.engine import script_runner
from deployd.engine.docker.engine import Engine
from deployd.engine.errors import ScriptLost, ScriptOverran
from deployd.engine.script import SCRIPTS_FOLDER, Script, is_held, prepare, read_status
from deployd.engine.script_runner import ScriptRunner
from deployd.engine.script_wrapper import wrapper_command
from deployd.engine.specs import Bind, ContainerSpec, RunAs

IMAGE = "deployd/base:trixie"
UID = 2_000_123
USER = f"{UID}:{UID}"


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with Engine() as found:
        yield found


@pytest.fixture
async def container(engine: Engine, tmp_path: Path) -> AsyncIterator[str]:
    """A container that runs nothing, with the scripts of tmp_path."""
    name = f"test-engine-{uuid.uuid4().hex[:8]}"
    await engine.ensure_container(spec(name, tmp_path, ("sleep", "600")))
    yield name
    await engine.ensure_container_gone(name, stop_seconds=0)


def spec(name: str, folder: Path, command: tuple[str, ...]) -> ContainerSpec:
    return ContainerSpec(
        name, IMAGE, {"deployd": name}, command=command, entrypoint=(), user=USER,
        binds=(Bind(str(folder), SCRIPTS_FOLDER),), tmpfs={"/tmp": "rw,mode=1777"},
    )


async def run_script(engine: Engine, container: str, folder: Path, text: str, **values) -> tuple[int, list[str]]:
    script = prepare(folder, "deploy", text, group=UID)
    lines: list[str] = []
    await ScriptRunner(engine, container, USER).start_or_attach(script, **values)
    status = await ScriptRunner(engine, container, USER).follow(script, lines.append, limit_seconds=30)
    return status, lines


async def until(test) -> None:
    async with asyncio.timeout(10):
        while not test():
            await asyncio.sleep(0.02)


async def test_output_comes_in_order_and_the_status_is_the_last_commands(engine, container, tmp_path):
    status, lines = await run_script(
        engine, container, tmp_path, "echo one\necho two >&2\necho $WHO $(id -u) $(pwd)\nfalse\n(exit 7)",
        environment={"WHO": "me"}, working_folder="/usr",
    )
    assert (status, lines) == (7, ["one", "two", "me 2000123 /usr"])


async def test_a_script_that_has_ended_is_not_run_again_but_told_again(engine, container, tmp_path):
    text = "echo ran >>/tmp/ran; cat /tmp/ran"
    assert await run_script(engine, container, tmp_path, text) == (0, ["ran"])
    assert await run_script(engine, container, tmp_path, "echo another text") == (0, ["ran"])


async def test_a_second_start_is_refused_by_the_wrapper_itself(engine, container, tmp_path):
    script = prepare(tmp_path, "deploy", "echo ran; sleep 0.3", group=UID)
    starts = [engine.execute(container, wrapper_command(script), RunAs(USER)) for _ in range(4)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(start) for start in starts]
    assert sorted(task.result().status for task in tasks) == [0, 125, 125, 125]
    assert (script.folder / "output").read_text() == "ran\n"


async def test_another_daemon_attaches_where_the_first_one_left_off(engine, container, tmp_path):
    text = "echo one; while [ ! -e /tmp/go ]; do sleep 0.02; done; echo two; exit 3"
    script = prepare(tmp_path, "deploy", text, group=UID)
    await ScriptRunner(engine, container, USER).start_or_attach(script)
    seen: list[str] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await ScriptRunner(engine, container, USER).follow(script, seen.append, limit_seconds=30)
    assert seen == ["one"]
    async with Engine() as other:
        again = prepare(tmp_path, "deploy", "echo never", group=UID)
        await ScriptRunner(other, container, USER).start_or_attach(again)
        await other.execute(container, ("touch", "/tmp/go"))
        rest: list[str] = []
        runner = ScriptRunner(other, container, USER)
        status = await runner.follow(again, rest.append, limit_seconds=30, offset=len("one\n"))
    assert (status, rest) == (3, ["two"])


async def test_a_killed_container_loses_its_script(engine, container, tmp_path):
    script = prepare(tmp_path, "deploy", "echo begun; sleep 60", group=UID)
    await ScriptRunner(engine, container, USER).start_or_attach(script)
    await until((script.folder / "pid").read_text)
    await engine.send_signal(container, "SIGKILL")
    with pytest.raises(ScriptLost) as caught:
        await ScriptRunner(engine, container, USER).follow(script, lambda line: None, limit_seconds=30)
    assert caught.value.evidence == ("begun",)


async def test_a_killed_wrapper_loses_its_script(engine, container, tmp_path):
    script = prepare(tmp_path, "deploy", "sleep 60", group=UID)
    await ScriptRunner(engine, container, USER).start_or_attach(script)
    await until((script.folder / "pid").read_text)
    assert is_held(script)
    for line in (await engine.execute(container, ("sh", "-c", "grep -l deployd-script /proc/[0-9]*/cmdline"))
                 ).stdout.decode().split():
        await engine.execute(container, ("sh", "-c", f"kill -KILL {line.split('/')[2]}"))
    with pytest.raises(ScriptLost):
        await ScriptRunner(engine, container, USER).follow(script, lambda line: None, limit_seconds=30)


async def test_a_script_that_overran_is_ended_with_all_that_it_started(engine, container, tmp_path):
    script = prepare(tmp_path, "deploy", "echo begun; sleep 1234 & sleep 1234; echo never", group=UID)
    await ScriptRunner(engine, container, USER).start_or_attach(script)
    with pytest.raises(ScriptOverran) as caught:
        await ScriptRunner(engine, container, USER).follow(script, lambda line: None, limit_seconds=0.5)
    assert caught.value.evidence == ("begun",)
    assert read_status(script) == 143
    count = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep [1]234'"
    left = await engine.execute(container, ("sh", "-c", count))
    assert left.stdout.strip() == b"0"


async def test_a_script_that_will_not_end_is_killed(engine, container, tmp_path, monkeypatch):
    monkeypatch.setattr(script_runner, "END_SECONDS", 0.5)
    script = prepare(tmp_path, "deploy", "trap '' TERM; while :; do sleep 0.05; done", group=UID)
    await ScriptRunner(engine, container, USER).start_or_attach(script)
    await until((script.folder / "pid").read_text)
    await asyncio.sleep(0.2)
    await ScriptRunner(engine, container, USER).end(script.folder)
    assert not is_held(script)
    assert read_status(script) == 137
    await ScriptRunner(engine, container, USER).end(script.folder)


async def test_nothing_to_end_is_fine(engine, container, tmp_path):
    await ScriptRunner(engine, container, USER).end(tmp_path / "none")
    await ScriptRunner(engine, container, USER).end(prepare(tmp_path, "deploy", "true", group=UID).folder)


async def test_what_a_script_leaves_behind_does_not_keep_it_open(engine, container, tmp_path):
    status, lines = await run_script(engine, container, tmp_path, "(sleep 5; echo late) & echo done")
    assert (status, lines) == (0, ["done"])


async def test_what_a_script_leaves_behind_may_write_on(engine, container, tmp_path):
    left = "(for n in 1 2 3 4 5 6 7 8; do sleep 0.25; echo more || exit; done; touch /tmp/wrote-all) & echo done"
    status, lines = await run_script(engine, container, tmp_path, left)
    assert (status, lines[0]) == (0, "done")
    async with asyncio.timeout(30):
        while (await engine.execute(container, ("test", "-e", "/tmp/wrote-all"))).status:
            await asyncio.sleep(0.1)


async def test_a_script_that_writes_for_ever_does_not_fill_the_disk(engine, container, tmp_path):
    bound = script_runner.OUTPUT_BYTES
    status, lines = await run_script(
        engine, container, tmp_path, f"yes $(head -c 999 /dev/zero | tr '\\0' x) | head -c {bound + 9_000_000}; exit 3",
    )
    assert (status, (tmp_path / "deploy" / "output").stat().st_size) == (3, bound)
    assert "was not kept" in lines[-1]
    assert len(lines) == bound // 1000 + 2


async def test_a_long_line_and_a_lot_of_output_come_through(engine, container, tmp_path):
    status, lines = await run_script(
        engine, container, tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x; echo; seq 1 200000; printf end",
    )
    assert status == 0
    assert lines[0].endswith("x […]")
    assert lines[1:] == [*map(str, range(1, 200_001)), "end"]


async def test_a_build_is_the_main_process_of_its_container(engine, tmp_path):
    name = f"test-engine-{uuid.uuid4().hex[:8]}"
    script = prepare(tmp_path, "build", "echo building; exit 4", group=UID)
    try:
        await engine.ensure_container(spec(name, tmp_path, wrapper_command(script)))
        lines: list[str] = []
        assert await ScriptRunner(engine, name, USER).follow(script, lines.append, limit_seconds=30) == 4
        assert lines == ["building"]
        assert await engine.wait_until_ended(name, 10) == 4
        await engine.ensure_container(spec(name, tmp_path, wrapper_command(script)))     # as after a reboot
        assert await engine.wait_until_ended(name, 10) == 125
        assert (script.folder / "output").read_text() == "building\n"
    finally:
        await engine.ensure_container_gone(name, stop_seconds=0)


async def test_a_build_without_its_container_is_lost(engine, tmp_path):
    script = prepare(tmp_path, "build", "true", group=UID)
    with pytest.raises(ScriptLost):
        await ScriptRunner(engine, "test-engine-none", USER).follow(script, lambda line: None, limit_seconds=30)


async def test_a_script_goes_on_without_whoever_started_it(engine, container, tmp_path):
    script: Script = prepare(tmp_path, "deploy", "sleep 0.5; echo done", group=UID)
    async with Engine() as gone:
        await ScriptRunner(gone, container, USER).start_or_attach(script)
    await until(lambda: read_status(script) is not None)
    assert read_status(script) == 0
    assert os.stat(script.folder / "status").st_uid == 0
