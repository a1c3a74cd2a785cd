"""What is compared, by the real git and the real kernel: histories, project files, and slugs mounted nowhere."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from deployd.git.history import commits_behind, diff_of
from deployd.git.mirror import Mirror
from deployd.ids import CommitId, SlugKey
from deployd.slugs.archive import SlugStore
from deployd.slugs.compare import FileChange, SlugComparison, SlugsNotCompared
from deployd.slugs.errors import SlugMissing
from deployd.slugs.mount import mounts_below

ONE, OTHER = SlugKey("a1" * 32), SlugKey("b2" * 32)
GONE = CommitId("d" * 40)


class Repository:
    """A working tree and its mirror."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.mirror = folder / "tree", Mirror(folder / "repo.git")
        self.tree.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")

    def commit(self, subject: str, files: dict[str, str]) -> CommitId:
        for name, text in files.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(text)
        self._git("add", "--all")
        self._git("-c", "user.name=Ada", "-c", "user.email=a@b.test", "commit", "--quiet", "--message", subject)
        return CommitId(self._git("rev-parse", "HEAD"))

    def go_to(self, commit: CommitId) -> None:
        self._git("checkout", "--quiet", commit)

    async def push(self) -> Mirror:
        await self.mirror.ensure()
        self._git("push", "--quiet", "--force", str(self.mirror.path), "HEAD:refs/heads/main")
        return self.mirror

    def _git(self, *arguments: str) -> str:
        ran = subprocess.run(["git", *arguments], cwd=self.tree, check=True, capture_output=True, text=True)
        return ran.stdout.strip()


async def test_commits_between_are_told_newest_first_and_bounded(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    first = repository.commit("first\n\nbody", {"a": "1"})
    second = repository.commit("second", {"a": "2"})
    third = repository.commit("third \u2192 <b>", {"a": "3"})
    mirror = await repository.push()
    found = await commits_behind(mirror, first, third, 50)
    assert found is not None
    assert [(item.commit, item.subject, item.author) for item in found.newest] == [
        (third, "third \u2192 <b>", "Ada"), (second, "second", "Ada"),
    ]
    bounded = await commits_behind(mirror, first, third, 1)
    assert bounded is not None
    assert (bounded.count, len(bounded.newest)) == (2, 1)
    none = await commits_behind(mirror, third, first, 50)
    assert none is not None
    assert (none.count, none.newest) == (0, ())
    assert await commits_behind(mirror, GONE, third, 50) is None


async def test_only_the_project_files_are_compared_also_of_two_repositories(tmp_path: Path) -> None:
    one, other = Repository(tmp_path / "one"), Repository(tmp_path / "other")
    first = one.commit("first", {".platform/routes.yaml": "a: 1\n", "index.php": "1", "*.yaml": "star"})
    second = one.commit("second", {".platform/routes.yaml": "a: 2\n", "index.php": "2", "*.yaml": "moon"})
    elsewhere = other.commit("elsewhere", {".platform/routes.yaml": "a: 3\n"})
    mirror, away = await one.push(), await other.push()
    found = await diff_of((mirror, first), (mirror, second), [".platform"], 100)
    assert found is not None
    assert [line for line in found.lines if line[:1] in "+-"][2:] == ["-a: 1", "+a: 2"]
    assert "star" not in "".join(found.lines)
    across = await diff_of((mirror, first), (away, elsewhere), [".platform", "*.yaml"], 100)
    assert across is not None
    assert {"-a: 1", "+a: 3", "-star"} <= set(across.lines)
    short = await diff_of((mirror, first), (mirror, second), [".platform"], 2)
    assert short is not None
    assert (len(short.lines), short.more) == (2, len(found.lines) - 2)
    assert await diff_of((mirror, first), (mirror, GONE), [".platform"], 100) is None
    nothing = await diff_of((mirror, first), (mirror, second), [], 100)
    assert nothing is not None
    assert nothing.lines == ()


@pytest.fixture
async def store(tmp_path: Path) -> SlugStore:
    found = SlugStore(tmp_path / "slugs", min_free_bytes=0)
    for key, text in ((ONE, "1111"), (OTHER, "2222")):
        workspace = tmp_path / f"work-{key[:2]}"
        (workspace / "src").mkdir(parents=True)
        (workspace / "same").write_text("same")
        (workspace / "src/index.php").write_text(text)
        if key == OTHER:
            (workspace / "new").write_text("12345")
        await found.pack(workspace, key, owner=2_000_000)
    return found


async def test_slugs_are_compared_and_nothing_stays_mounted(tmp_path: Path, store: SlugStore) -> None:
    (tmp_path / "run").mkdir()
    comparison = SlugComparison(store, tmp_path / "run")
    found, _ = await asyncio.gather(comparison.of(ONE, OTHER), comparison.of(ONE, OTHER))
    assert (found.added, found.changed, found.removed, found.grown_bytes, found.unread) == (1, 1, 0, 5, 0)
    assert found.files == (FileChange("added", "new", None, 5), FileChange("changed", "src/index.php", 4, 4))
    assert await mounts_below(tmp_path) == ()
    assert list((tmp_path / "run").iterdir()) == []
    assert (await comparison.of(OTHER, ONE)).removed == 1


async def test_a_slug_that_is_gone_or_damaged_says_so(tmp_path: Path, store: SlugStore) -> None:
    (tmp_path / "run").mkdir()
    comparison = SlugComparison(store, tmp_path / "run")
    with pytest.raises(SlugMissing):
        await comparison.of(ONE, SlugKey("c3" * 32))
    path = (await store.find(ONE)).path
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(SlugsNotCompared):
        await comparison.of(ONE, OTHER)
    assert list((tmp_path / "run").iterdir()) == []
