"""The kernel's count of what it killed for want of memory, from both versions of control groups."""

from pathlib import Path

import pytest

from deployd.engine.docker.memory import killed_for_memory

ONE = ("12:pids:/docker/abc\n7:memory:/docker/abc\n0::/docker/abc\n", "memory/docker/abc/memory.oom_control",
       "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
TWO = ("0::/system.slice/docker-abc.scope\n", "system.slice/docker-abc.scope/memory.events",
       "low 0\nhigh 0\nmax 31\noom 2\noom_kill 3\noom_group_kill 0\n")


@pytest.mark.parametrize(("membership", "file", "text"), [ONE, TWO])
def test_kills_are_counted_in_the_group_of_a_process(tmp_path: Path, membership: str, file: str, text: str) -> None:
    write(tmp_path / "proc/42/cgroup", membership)
    write(tmp_path / "sys" / file, text)
    assert killed_for_memory(42, tmp_path / "proc", tmp_path / "sys") == 3


def test_a_process_that_has_ended_was_not_killed_for_memory_as_far_as_is_known(tmp_path: Path) -> None:
    assert killed_for_memory(42, tmp_path, tmp_path) == 0


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
