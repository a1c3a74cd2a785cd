"""What a container uses, from the files of its control group in both versions and of both drivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.engine.docker.groups import Groups
from deployd.engine.observed import ContainerSeen, GroupFigures

ID = "abc123"
ONE = {
    "memory/{}/memory.usage_in_bytes": "200000\n", "memory/{}/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/{}/memory.stat": "cache 5\ninactive_file 7\ntotal_inactive_file 50000\n",
    "memory/{}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "cpuacct/{}/cpuacct.usage": "2500000000\n",
}
TWO = {
    "cgroup.controllers": "cpu memory\n",
    "{}/memory.current": "200000\n", "{}/memory.max": "max\n", "{}/memory.stat": "anon 1\ninactive_file 50000\n",
    "{}/memory.events": "low 0\nhigh 0\nmax 3\noom 9\noom_kill 3\noom_group_kill 0\n",
    "{}/cpu.stat": "usage_usec 2500000\nuser_usec 2\n",
}
WANTED = GroupFigures(2.5, 150_000, None, 3)


def seen(container_id: str = ID, pid: int | None = None) -> ContainerSeen:
    return ContainerSeen("name", container_id, "", "", {}, True, None, "none", {}, pid=pid)


def lay_out(root: Path, files: dict[str, str], place: str) -> Path:
    for name, text in files.items():
        file = root / name.format(place)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize("place", [f"docker/{ID}", f"system.slice/docker-{ID}.scope"])
@pytest.mark.parametrize("files", [ONE, TWO], ids=["version 1", "version 2"])
def test_figures_are_read_in_each_version_and_place(tmp_path: Path, files: dict[str, str], place: str) -> None:
    groups = Groups(lay_out(tmp_path, files, place))
    assert groups.figures(seen()) == WANTED
    assert groups.kills(seen()) == 3
    assert groups.figures(seen("another")) is None


@pytest.mark.parametrize(("files", "membership"), [
    (ONE, "5:cpu,cpuacct:/elsewhere/x\n3:memory:/elsewhere/x\n"), (TWO, "0::/elsewhere/x\n"),
], ids=["version 1", "version 2"])
def test_a_group_elsewhere_is_found_by_the_first_process(
    tmp_path: Path, files: dict[str, str], membership: str,
) -> None:
    (tmp_path / "proc/42").mkdir(parents=True)
    (tmp_path / "proc/42/cgroup").write_text(membership)
    groups = Groups(lay_out(tmp_path / "sys", files, "elsewhere/x"), tmp_path / "proc")
    assert groups.figures(seen()) is None
    assert groups.figures(seen(pid=42)) == WANTED
    assert groups.figures(seen(pid=43)) == WANTED, "it is known by now"


@pytest.mark.parametrize("files", [ONE, TWO], ids=["version 1", "version 2"])
def test_a_limit_is_told_and_a_container_that_ended_has_no_figures(tmp_path: Path, files: dict[str, str]) -> None:
    root = lay_out(tmp_path, files, f"docker/{ID}")
    limit = "memory/{}/memory.limit_in_bytes" if files is ONE else "{}/memory.max"
    (root / limit.format(f"docker/{ID}")).write_text("536870912\n")
    groups = Groups(root)
    figures = groups.figures(seen())
    assert figures is not None
    assert figures.memory_limit_bytes == 536_870_912
    for name in files:
        (root / name.format(f"docker/{ID}")).unlink()
    assert groups.figures(seen()) is None
    assert groups.kills(seen()) is None


def test_an_older_kernel_that_counts_no_kills_is_no_reason_to_tell_nothing(tmp_path: Path) -> None:
    files = {**ONE, "memory/{}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n"}
    figures = Groups(lay_out(tmp_path, files, f"docker/{ID}")).figures(seen())
    assert figures is not None
    assert figures.kills == 0
