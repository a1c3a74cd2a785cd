"""The daemon's end of the link to `deployd-ssh` over reloads and mistakes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deployd.daemon import ssh_door
from deployd.daemon.ssh_door import SshDoor


async def test_a_bug_does_not_leave_nobody_listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door, again = SshDoor(), asyncio.Event()
    failures: list[Exception] = [RuntimeError("ours"), OSError("the disk is full")]

    async def serve(path: Path, uid: int) -> None:
        if failures:
            raise failures.pop(0)
        again.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(ssh_door, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(door.link, "serve", serve)
    serving = asyncio.create_task(door._serve(tmp_path / "link.sock"))
    async with asyncio.timeout(10):
        await again.wait()
    serving.cancel()
    await asyncio.wait({serving})


def test_who_is_inside_is_handed_over_to_the_next_and_to_them_alone() -> None:
    door = SshDoor()
    ours = door.stays.handed_over
    door.hold()
    assert ours.is_set()
    assert not door.stays.handed_over.is_set()
