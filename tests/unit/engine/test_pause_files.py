"""Which file pauses a container, by what /proc says of its first process: both versions, both drivers, no mistakes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from deployd.engine.docker import pauses
from deployd.engine.docker.pauses import Pauses, pause_file
from deployd.engine.errors import EngineRefused

ID = "ab" * 32


@pytest.mark.parametrize(("said", "there", "found"), [
    (f"6:freezer:/docker/{ID}\n0::/docker/{ID}\n", f"freezer/docker/{ID}/freezer.state", True),
    (f"6:freezer:/system.slice/docker-{ID}.scope\n", f"freezer/system.slice/docker-{ID}.scope/freezer.state", True),
    (f"0::/system.slice/docker-{ID}.scope\n", f"system.slice/docker-{ID}.scope/cgroup.freeze", True),
    (f"0::/docker/{ID}/inner/one\n", f"docker/{ID}/cgroup.freeze", True),   # all of it, not what its process chose
    (f"0::/system.slice/docker-{ID}.scope/init\n", f"system.slice/docker-{ID}.scope/cgroup.freeze", True),
    (f"6:freezer:/\n0::/docker/{ID}\n", f"docker/{ID}/cgroup.freeze", True),
    # The number has another owner by now, or we see other groups: never somebody else's, nor our own.
    ("6:freezer:/\n0::/\n", "freezer/freezer.state", False),
    (f"0::/docker/{'cd' * 32}\n", f"docker/{'cd' * 32}/cgroup.freeze", False),
    (f"0::/docker/{ID}\n", f"docker/{ID}/cgroup.procs", False),
])
def test_the_file_of_the_container_and_of_no_other_group(tmp_path: Path, said: str, there: str, found: bool) -> None:
    process, file = tmp_path / "proc" / "7", tmp_path / "cgroup" / there
    for path, text in ((process / "cgroup", said), (file, "")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert pause_file(7, ID, tmp_path / "proc", tmp_path / "cgroup") == (file if found else None)
    assert pause_file(8, ID, tmp_path / "proc", tmp_path / "cgroup") is None


async def test_a_container_that_ends_while_it_is_let_go_on_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ending(Pauses):
        docker: Any = MagicMock()

        def __init__(self) -> None:
            """Of an Engine that is asked nothing."""

        async def container(self, name: str) -> Any:
            return SimpleNamespace(pid=7, id=ID)

    async def not_paused(*_: object) -> None:
        raise EngineRefused("it is not paused")

    monkeypatch.setattr(pauses, "ask", not_paused)
    monkeypatch.setattr(pauses, "pause_file", lambda *_: tmp_path / "gone" / "freezer.state")
    await Ending().ensure_going_on("db")
