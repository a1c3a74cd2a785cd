"""A clone that somebody's commands wrote into, and what of it is taken: with real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.git.clones import (
    BranchMoved,
    PackRefused,
    clone_branch,
    commit_named,
    move_branch,
    take_pack,
)
from deployd.git.mirror import Mirror
from deployd.git.program import git
from deployd.git.remote import PushRefused, push
from deployd.ids import CommitId
from deployd.process import run
from tests.support.intake_stand import developer_environment


async def theirs(folder: Path, *words: str) -> str:
    """Git as the operation's command calls it."""
    return (await run("git", *words, cwd=folder, env=developer_environment())).text


@pytest.fixture
async def mirror(tmp_path: Path) -> Mirror:
    made = Mirror(tmp_path / "repos" / "shop.git")
    await made.ensure()
    work = tmp_path / "work"
    await run("git", "init", "--quiet", "--initial-branch=main", str(work), env=developer_environment())
    for text in ("one", "two"):
        (work / "text").write_text(text)
        await theirs(work, "add", "--all")
        await theirs(work, "commit", "--quiet", "-m", text)
    await theirs(work, "push", "--quiet", str(made.path), "main", "main:other")
    await theirs(work, "tag", "v1")
    await theirs(work, "push", "--quiet", str(made.path), "v1")
    return made


async def committed(folder: Path, old: CommitId, text: str = "three") -> tuple[CommitId, Path]:
    """(a new commit in a clone, a pack of it)"""
    await theirs(folder, "reset", "--quiet", "--hard")
    (folder / "text").write_text(text)
    await theirs(folder, "commit", "--quiet", "-am", text)
    new = CommitId(await theirs(folder, "rev-parse", "HEAD"))
    return new, await packed(folder, new, old)


async def packed(folder: Path, new: CommitId, old: CommitId) -> Path:
    made = await run("git", "pack-objects", "--quiet", "--revs", "--thin", "--stdout", cwd=folder,
                     env=developer_environment(), stdin=f"{new}\n^{old}\n".encode())
    (folder.parent / "pack").write_bytes(made.stdout)
    return folder.parent / "pack"


async def test_what_is_committed_in_a_clone_becomes_the_branch(mirror: Mirror, tmp_path: Path) -> None:
    old = await clone_branch(mirror, "main", tmp_path / "clone")
    assert old == await mirror.tip("main")
    assert await theirs(tmp_path / "clone", "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert await theirs(tmp_path / "clone", "log", "--format=%s") == "two\none"
    assert [path.name for path in (tmp_path / "clone").iterdir()] == [".git"]
    shared = [path for path in (tmp_path / "clone").rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert shared == [], "it is given away, and the mirror is not"
    new, pack = await committed(tmp_path / "clone", old)
    await take_pack(mirror, pack, new)
    assert await mirror.tip("main") == old
    await move_branch(mirror, "main", new, old)
    await move_branch(mirror, "main", new, old)
    assert await mirror.tip("main") == new
    assert not list(mirror.path.glob("source-*"))


async def test_a_branch_goes_back_without_a_pack_and_not_when_it_has_moved(mirror: Mirror, tmp_path: Path) -> None:
    old = await clone_branch(mirror, "main", tmp_path / "clone")
    before = await mirror.resolve(f"{old}^")
    assert before is not None
    await move_branch(mirror, "main", before, old)
    assert await mirror.tip("main") == before
    with pytest.raises(BranchMoved):
        await move_branch(mirror, "main", CommitId("1" * 40), old)
    assert await mirror.tip("main") == before


async def test_a_broken_pack_and_one_without_its_commit_leave_nothing(mirror: Mirror, tmp_path: Path) -> None:
    old = await clone_branch(mirror, "main", tmp_path / "clone")
    new, pack = await committed(tmp_path / "clone", old)
    whole = pack.read_bytes()
    for content, wanted in ((whole[:-30], new), (f"gitdir: {mirror.path}\n".encode(), new), (b"", new),
                            (whole, CommitId("1" * 40))):
        pack.write_bytes(content)
        with pytest.raises(PackRefused):
            await take_pack(mirror, pack, wanted)
    assert await mirror.resolve(new) is None
    assert await mirror.tip("main") == old
    assert not list(mirror.path.glob("source-*"))


async def test_a_pack_that_lacks_objects_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    old = await clone_branch(mirror, "main", clone)
    between, _ = await committed(clone, old, "three")
    new, _ = await committed(clone, old, "four")
    with pytest.raises(PackRefused):
        await take_pack(mirror, await packed(clone, new, between), new)
    assert await mirror.resolve(new) is None


async def test_objects_that_no_push_may_have_are_refused(mirror: Mirror, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    old = await clone_branch(mirror, "main", clone)
    await theirs(clone, "reset", "--quiet", "--hard")
    blob = await theirs(clone, "rev-parse", "HEAD:text")
    listed = f"100644 blob {blob}\t.git\n"
    made = await run("git", "mktree", cwd=clone, env=developer_environment(), stdin=listed.encode())
    commit = CommitId(await theirs(clone, "commit-tree", "-p", "HEAD", "-m", "evil", made.text))
    with pytest.raises(PackRefused) as error:
        await take_pack(mirror, await packed(clone, commit, old), commit)
    assert "hasDotgit" in " ".join(error.value.evidence)
    assert await mirror.resolve(commit) is None


async def test_a_forge_takes_it_or_says_why_not(mirror: Mirror, tmp_path: Path) -> None:
    forge = Mirror(tmp_path / "forge.git")
    await forge.ensure()
    old = await mirror.tip("main")
    before = await mirror.resolve(f"{old}^") if old else None
    assert old is not None
    assert before is not None
    await git(mirror.path, "push", "--quiet", str(forge.path), f"{before}:refs/heads/main")
    await push(mirror, f"file://{forge.path}", None, "main", old, before)
    await push(mirror, f"file://{forge.path}", None, "main", old, before)
    assert await forge.tip("main") == old
    with pytest.raises(PushRefused):
        await push(mirror, f"file://{forge.path}", None, "main", before, CommitId("1" * 40))
    assert await forge.tip("main") == old


@pytest.mark.parametrize("text", ["", "main", "a" * 39, "g" * 40, "--upload-pack=x", "a" * 41, "HEAD~1"])
def test_what_is_no_id_is_no_commit(text: str) -> None:
    assert commit_named(text) is None
    assert commit_named("a" * 40) == "a" * 40
