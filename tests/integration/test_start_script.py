"""The main process of an instance, run by a real shell."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from deployd.environment.platform import APP_FOLDER
from deployd.process import run
from deployd.project.model import Commands
from deployd.release.applications.environment_file import environment_error
from deployd.release.applications.start_records import (
    ENDED,
    NOTHING_YET,
    RUNNING,
    STARTS_FILE,
    WAITING,
    Starts,
    lay_out_starts,
    read_starts,
)
from deployd.release.applications.start_script import hook_script, start_script


async def test_a_start_command_that_fails_ends_its_container(tmp_path: Path) -> None:
    ended = await run("sh", "-c", script(tmp_path, None), check=False)
    assert (ended.status, (tmp_path / "begins").read_text()) == (1, "x")


async def test_until_the_deploy_hook_has_ended_it_is_started_again_in_there(tmp_path: Path) -> None:
    hook_ended = tmp_path / "status"
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        running = group.create_task(run("sh", "-c", script(tmp_path, str(hook_ended)), check=False))
        while not (tmp_path / "begins").exists() or len((tmp_path / "begins").read_text()) < 2:
            await asyncio.sleep(0.05)
        assert not running.done()
        hook_ended.write_text("0\n")
    assert running.result().status == 1


async def test_a_socket_that_an_earlier_start_left_is_removed(tmp_path: Path) -> None:
    socket = tmp_path / "app.sock"
    socket.touch()
    text = moved(start_script(Commands(start=f"test ! -e {socket} && touch free"), None), tmp_path)
    await run("sh", "-c", text, check=False, env={**os.environ, "SOCKET": str(socket)})
    assert (tmp_path / "free").exists()


async def test_what_becomes_of_it_is_written_down(tmp_path: Path) -> None:
    await asyncio.to_thread(lay_out_starts, tmp_path, group=os.getgid())
    hook_ended, may_end = tmp_path / "status", tmp_path / "may-end"
    start = f"until rm {may_end}; do sleep 0.02; done 2>{tmp_path}/said; exit 4"
    text = moved(start_script(Commands(start=start), None, hook_ended=str(hook_ended)), tmp_path)
    seen: list[Starts] = []
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        running = group.create_task(run("sh", "-c", text, check=False))
        while not running.done():
            starts = await asyncio.to_thread(read_starts, tmp_path)
            assert starts is not None
            if (now := replace(starts, pid=0, written_at=0.0)) not in seen:
                seen.append(now)
                if now == Starts(2, 0, RUNNING):
                    hook_ended.write_text("0\n")
                if now.state == RUNNING:
                    may_end.touch()
            await asyncio.sleep(0.02)
    assert [item for item in seen if item.state != NOTHING_YET][:3] == [
        Starts(1, 0, RUNNING), Starts(1, 0, WAITING, status=4), Starts(2, 0, RUNNING)]
    ended = await asyncio.to_thread(read_starts, tmp_path)
    assert ended == Starts(2, 1, ENDED, 0, 4, ended.written_at if ended else 0)


@pytest.mark.parametrize("text", ["export A=(1 2)", "exit 3", "set -u\nexport B=$NOPE", "set -e\nfalse", ". ./missing"])
async def test_an_environment_file_that_ends_the_shell_is_told_and_written_down(tmp_path: Path, text: str) -> None:
    await asyncio.to_thread(lay_out_starts, tmp_path, group=os.getgid())
    (tmp_path / ".environment").write_text(f"FIRST=1\n{text}\n")
    ended = await run("sh", "-c", moved(start_script(Commands(start="echo never"), None), tmp_path), check=False)
    starts = await asyncio.to_thread(read_starts, tmp_path)
    assert starts is not None
    assert (starts.begun, starts.has_no_environment, starts.status) == (0, True, ended.status)
    error = environment_error((ended.stderr + ended.stdout).decode().splitlines(), "", "it")
    assert error is not None
    assert error.evidence
    for script in (hook_script("echo never"), hook_script("echo never").rstrip()):
        hook = await run("sh", "-c", moved(script, tmp_path), check=False)
        assert (hook.status, hook.stdout) == (ended.status, b"")
        assert environment_error(hook.stderr.decode().splitlines(), "", "the hook") is not None


async def test_whatever_was_written_into_its_file_it_goes_on(tmp_path: Path) -> None:
    for text in ("", "x y", "1", "1 -1 running", "$(touch never) 0 x"):
        (tmp_path / "starts").write_text(text)
        ended = await run("sh", "-c", script(tmp_path, None), check=False)
        assert (ended.status, ended.stderr) == (1, b"")
    assert not (tmp_path / "never").exists()


async def test_what_an_environment_file_sets_is_seen_and_its_options_keep_ours_going(tmp_path: Path) -> None:
    await asyncio.to_thread(lay_out_starts, tmp_path, group=os.getgid())
    (tmp_path / ".environment").write_text("set -eu\nexport FIRST=one\n")
    text = moved(start_script(Commands(start='echo "$FIRST" >seen; exit 6'), None), tmp_path)
    ended = await run("sh", "-c", text, check=False)
    assert (tmp_path / "seen").read_text() == "one\n"
    assert b"the start command ended with status 6" in ended.stdout
    starts = await asyncio.to_thread(read_starts, tmp_path)
    assert starts is not None
    assert (starts.state, starts.status) == (ENDED, 6)
    hook = await run("sh", "-c", moved(hook_script('echo "$FIRST"; (exit 5)'), tmp_path), check=False)
    assert (hook.status, hook.stdout) == (5, b"one\n")


async def test_an_environment_file_may_set_what_the_shell_cuts_words_at(tmp_path: Path) -> None:
    await asyncio.to_thread(lay_out_starts, tmp_path, group=os.getgid())
    (tmp_path / ".environment").write_text("IFS=','\n")
    await run("sh", "-c", moved(start_script(Commands(start="exit 6"), None), tmp_path), check=False)
    starts = await asyncio.to_thread(read_starts, tmp_path)
    assert starts is not None
    assert (starts.begun, starts.ended, starts.state, starts.status) == (1, 1, ENDED, 6)


def moved(text: str, folder: Path) -> str:
    """A script that finds its folders in another one."""
    return text.replace(STARTS_FILE, str(folder / "starts")).replace(APP_FOLDER, str(folder))


def script(folder: Path, hook_ended: str | None) -> str:
    """Of an application that counts its starts and fails."""
    return moved(start_script(Commands(start="printf x >>begins; false"), None, hook_ended=hook_ended), folder)
