"""The main process of an instance, run by a real shell."""

import asyncio
import os
from pathlib import Path

from deployd.deployment.start_script import start_script
from deployd.environment.platform import APP_FOLDER
from deployd.process import run
from deployd.project.model import Commands


async def test_a_start_command_that_fails_ends_its_container(tmp_path: Path) -> None:
    ended = await run("sh", "-c", script(tmp_path, None), check=False)
    assert (ended.status, (tmp_path / "starts").read_text()) == (1, "x")


async def test_until_the_deploy_hook_has_ended_it_is_started_again_in_there(tmp_path: Path) -> None:
    hook_ended = tmp_path / "status"
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        running = group.create_task(run("sh", "-c", script(tmp_path, str(hook_ended)), check=False))
        while not (tmp_path / "starts").exists() or len((tmp_path / "starts").read_text()) < 2:
            await asyncio.sleep(0.05)
        assert not running.done()
        hook_ended.write_text("0\n")
    assert running.result().status == 1


async def test_a_socket_that_an_earlier_start_left_is_removed(tmp_path: Path) -> None:
    socket = tmp_path / "app.sock"
    socket.touch()
    text = start_script(Commands(start=f"test ! -e {socket} && touch free"), None).replace(APP_FOLDER, str(tmp_path))
    await run("sh", "-c", text, check=False, env={**os.environ, "SOCKET": str(socket)})
    assert (tmp_path / "free").exists()


def script(folder: Path, hook_ended: str | None) -> str:
    """Of an application that counts its starts and fails."""
    text = start_script(Commands(start="printf x >>starts; false"), None, hook_ended=hook_ended)
    return text.replace(APP_FOLDER, str(folder))
