"""Pushes that try to make git mean something else than it says: refs, names, objects, numbers."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.git import program
from deployd.git.listing import ListingTooLong, list_tree, size_of
from deployd.git.mirror import Mirror
from deployd.git.objects import ObjectUnreadable, open_objects
from deployd.git.program import git
from deployd.git.remote import fetch
from deployd.git.submodules import SubmodulesTooLarge
from deployd.git.workspace import export
from deployd.ids import CommitId
from deployd.process import run
from deployd.project.tree.limits import TreeLimits, TreeTooLarge
from tests.support.git_objects import BLOB, LINK, SUBMODULE, TREE, bomb, write_commit, write_object, write_tree
from tests.support.intake_stand import Stand, developer_environment, open_stand, refs_of


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with open_stand(tmp_path, {"shop": {}}) as stand:
        yield stand


async def pushed(stand: Stand, *refs: str, limit_seconds: float = 60) -> tuple[int, str]:
    """(git's status, what the terminal shows)"""
    output = await stand.developer(
        "push", "--push-option=no-wait", stand.repository(), *refs, check=False, limit_seconds=limit_seconds,
    )
    return output.status, output.stderr.decode(errors="replace")


@pytest.mark.parametrize("ref", [
    "refs/notes/commits", "refs/pull/1/head", "refs/remotes/origin/main", "refs/stash", "refs/x/y",
    "refs/heads/HEAD", "refs/heads/refs/heads/main", "refs/heads/-main", "refs/heads/FETCH_HEAD", "refs/heads/@",
    "refs/heads/" + "a" * 40, "refs/heads/" + "x" * 201, "refs/heads/mai\u202en", "refs/heads/ma\u200bin",
    "refs/heads/ma\xa0in", "refs/heads/main\u2028x", "refs/heads/main\x85x", "refs/heads/ma\udcffin",
    "refs/tags/HEAD", "refs/tags/refs/heads/main", "refs/tags/-v1", "refs/tags/" + "0" * 40, "refs/tags/v\u202e1",
])
async def test_an_odd_ref_is_refused_with_a_sentence_and_the_whole_push_with_it(stand: Stand, ref: str) -> None:
    await stand.commit({"a": "1"})
    status, told = await pushed(stand, "main", f"main:{ref}")
    assert status != 0
    assert "remote: hint: " in told
    assert "nothing was changed" in told
    assert await refs_of(stand.mirror()) == {}
    assert stand.queue.pushes == []
    assert stand.checker.checked == []


async def test_a_replaced_commit_is_not_taken_and_one_that_is_there_is_not_read(stand: Stand) -> None:
    good = await stand.commit({"a": "good"})
    evil = await stand.commit({"a": "evil"})
    await stand.developer("update-ref", f"refs/replace/{good}", evil)
    status, told = await pushed(stand, f"{good}:refs/heads/main", f"refs/replace/{good}")
    assert status != 0
    assert f"remote: refs/replace/{good} is neither a branch nor a tag" in told
    await pushed(stand, f"{good}:refs/heads/main", f"{evil}:refs/heads/other")
    await git(stand.mirror().path, "update-ref", f"refs/replace/{good}", evil)   # as an older version took it
    await _is_read_as_it_is(stand, good)
    await git(stand.mirror().path, "update-ref", f"refs/replace/{good}", good)   # of itself: nobody can read it then
    await _is_read_as_it_is(stand, good)
    listed = await stand.developer("ls-remote", stand.repository())
    assert "refs/replace" not in listed.text
    status, _ = await pushed(stand, f":refs/replace/{good}")
    assert status == 0


async def _is_read_as_it_is(stand: Stand, commit: CommitId) -> None:
    mirror = stand.mirror()
    assert (await mirror.about(commit)).commit == commit
    await export(mirror, commit, "", stand.folder / "out", TreeLimits())
    assert (stand.folder / "out/a").read_text() == "good"
    shutil.rmtree(stand.folder / "clone", ignore_errors=True)
    await run("git", "clone", "--quiet", "--branch", "main", stand.repository(), str(stand.folder / "clone"),
              env=developer_environment())
    assert (stand.folder / "clone/a").read_text() == "good"


async def test_a_tag_that_is_called_like_a_branch_is_no_branch(stand: Stand) -> None:
    first = await stand.commit({"a": "1"})
    await pushed(stand, "main")
    mirror = stand.mirror()
    for name in ("refs/heads/gone", "gone", "heads/gone"):
        await git(mirror.path, "update-ref", f"refs/tags/{name}", first)
    await git(mirror.path, "update-ref", "refs/heads/refs/heads/gone", first)
    assert await mirror.tip("gone") is None
    assert await mirror.tip("main") == first
    await git(mirror.path, "update-ref", "refs/tags/main", (await stand.commit({"a": "2"})), check=False)
    assert await mirror.tip("main") == first


@pytest.mark.parametrize("name", [
    "--all", "-d", "ma*n", "main~0", "main^{tree}", "@{-1}", "../../HEAD", "main\nmain", "",
])
async def test_a_tip_is_only_ever_that_of_a_branch(stand: Stand, name: str) -> None:
    await stand.commit({"a": "1"})
    await pushed(stand, "main")
    assert await stand.mirror().tip(name) is None


@pytest.mark.parametrize("name", ["main\u2028x", "main\x85x", "ma\udcffin", "größer"])
async def test_every_branch_is_listed_under_its_own_name(stand: Stand, name: str) -> None:
    commit = await stand.commit({"a": "1"})
    await pushed(stand, "main")
    await git(stand.mirror().path, "update-ref", f"refs/heads/{name}", commit)
    assert await stand.mirror().branches() == {"main": commit, name: commit}


async def test_odd_branches_of_a_remote_stay_there(stand: Stand, tmp_path: Path) -> None:
    commit = await stand.commit({"a": "1"})
    for ref in ("refs/heads/HEAD", "refs/heads/refs/heads/main", "refs/tags/refs/heads/main",
                f"refs/replace/{'1' * 40}", "refs/notes/x", "refs/pull/1/head"):
        await stand.developer("update-ref", ref, commit)
    mirror = Mirror(tmp_path / "far.git")
    await mirror.ensure()
    await fetch(mirror, str(stand.folder / "work"))
    assert await refs_of(mirror) == {"refs/heads/main": commit}


async def test_a_push_of_very_many_refs_is_refused_before_the_daemon_hears_of_it(stand: Stand) -> None:
    commit = await stand.commit({"a": "1"})
    (stand.folder / "work/.git/packed-refs").write_text(
        "# pack-refs with: peeled fully-peeled sorted \n"
        + "".join(f"{commit} refs/tags/v{number:05}\n" for number in range(2_001))
    )
    status, told = await pushed(stand, "--tags")
    assert status != 0
    assert "remote: a push may have 2000 branches and tags: nothing was changed" in told
    assert await refs_of(stand.mirror()) == {}


async def test_a_push_with_very_many_options_changes_nothing_that_is_not_asked_for(stand: Stand) -> None:
    await stand.commit({"a": "1"})
    options = [f"--push-option={number}-{'x' * 1000}" for number in range(200)]
    output = await stand.developer("push", *options, "--push-option=no-wait", stand.repository(), "main", check=False)
    assert output.status in (0, 1)
    assert [push.branch for push in stand.queue.pushes] in ([], ["main"])


@pytest.mark.parametrize("kind", ["dot git", "dot dot", "slash", "twice", "link and folder", "no name", "no such tree",
                                  "two trees", "gitmodules link", "gitmodules url"])
async def test_objects_that_are_made_to_do_harm_are_refused(stand: Stand, kind: str) -> None:
    await stand.commit({"a": "1"})
    work = stand.folder / "work"
    blob = write_object(work, "blob", b"x")
    inner = write_tree(work, (BLOB, "x", blob))
    tree, more = {
        "dot git": (write_tree(work, (TREE, ".git", inner)), ""),
        "dot dot": (write_tree(work, (TREE, "..", inner)), ""),
        "slash": (write_tree(work, (BLOB, "../../x", blob)), ""),
        "twice": (write_tree(work, (BLOB, "x", blob), (BLOB, "x", blob)), ""),
        "link and folder": (write_tree(work, (LINK, "x", blob), (TREE, "x", inner)), ""),
        "no name": (write_tree(work, (BLOB, "", blob)), ""),
        "no such tree": ("b" * 40, ""),
        "two trees": (inner, f"tree {inner}\n"),
        "gitmodules link": (write_tree(work, (LINK, ".gitmodules", blob)), ""),
        "gitmodules url": (write_tree(work, (BLOB, ".gitmodules", write_object(
            work, "blob", b'[submodule "a"]\n\tpath = a\n\turl = --upload-pack=x\n'))), ""),
    }[kind]
    commit = write_commit(work, tree, more)
    status, _ = await pushed(stand, f"{commit}:refs/heads/main")
    assert status != 0
    assert await refs_of(stand.mirror()) == {}
    assert stand.checker.checked == []


async def test_a_tree_that_names_billions_of_files_is_counted_and_not_made(stand: Stand, tmp_path: Path) -> None:
    commit = bomb(stand.folder / "work")
    status, _ = await pushed(stand, f"{commit}:refs/heads/main")
    assert status == 0, "the double of the checker takes it"
    with pytest.raises(ListingTooLong):
        await list_tree(stand.mirror(), commit, most_entries=10_000)
    with pytest.raises(TreeTooLarge) as caught:
        await export(stand.mirror(), commit, "", tmp_path / "out", TreeLimits(files=10_000))
    assert "more than 10,000 files and folders" in caught.value.what
    assert not (tmp_path / "out").exists()


async def test_a_tree_of_few_files_that_are_huge_is_not_made(stand: Stand, tmp_path: Path) -> None:
    commit = bomb(stand.folder / "work", depth=2, width=30, size=5_000_000)
    await pushed(stand, f"{commit}:refs/heads/main")
    listing = await list_tree(stand.mirror(), commit, most_entries=10_000)
    assert size_of(listing) == 900 * 5_000_000
    with pytest.raises(TreeTooLarge) as caught:
        await export(stand.mirror(), commit, "", tmp_path / "out", TreeLimits())
    assert "4,292 MB, at most 4,096 MB" in caught.value.what
    assert not (tmp_path / "out").exists()


async def test_folders_in_folders_without_end_are_refused(stand: Stand, tmp_path: Path) -> None:
    commit = bomb(stand.folder / "work", depth=3_000, width=1)
    await pushed(stand, f"{commit}:refs/heads/main")
    with pytest.raises(TreeTooLarge):
        await export(stand.mirror(), commit, "", tmp_path / "out", TreeLimits(files=2_000))


async def test_very_many_submodules_are_refused(stand: Stand, tmp_path: Path) -> None:
    work = stand.folder / "work"
    entries = sorted((SUBMODULE, f"m{number}", "c" * 40) for number in range(101))
    commit = write_commit(work, write_tree(work, *entries))
    await pushed(stand, f"{commit}:refs/heads/main")
    with pytest.raises(SubmodulesTooLarge) as caught:
        await export(stand.mirror(), commit, "", tmp_path / "out", TreeLimits())
    assert "more than 100 submodules" in caught.value.what


async def test_an_object_is_read_within_a_bound(stand: Stand) -> None:
    await stand.commit({"a": "12345"})
    await pushed(stand, "main")
    mirror = stand.mirror()
    name = (await git(mirror.path, "rev-parse", "main:a")).text
    async with open_objects(mirror) as objects:
        assert await objects.read(name, 5) == b"12345"
        with pytest.raises(ObjectUnreadable):
            await objects.read(name, 4)
    for wrong in ("HEAD", "main:a", "c" * 40, f"{name}\n{name}", "", "--batch-all-objects"):
        async with open_objects(mirror) as objects:
            with pytest.raises(ObjectUnreadable):
                await objects.read(wrong, 5)


async def test_git_wants_no_more_memory_than_it_may(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes of deltas can stand for gigabytes. Here the bound is low, so that the test need not make those."""
    monkeypatch.setattr(program, "LARGEST_ALLOCATION", "1m")
    await stand.commit({"a": b"x" * 3_000_000})
    status, told = await pushed(stand, "main")
    assert status != 0
    assert "over limit" in told
    assert await refs_of(stand.mirror()) == {}


async def test_a_commit_whose_words_have_no_end_is_told_in_few(stand: Stand) -> None:
    await stand.developer("commit", "--quiet", "--allow-empty", "--author", f"{'A' * 50_000} <a@b>",
                          "-m", "word " * 20_000)
    commit = CommitId((await stand.developer("rev-parse", "HEAD")).text)
    await pushed(stand, "main")
    about = await stand.mirror().about(commit)
    assert about.commit == commit
    assert (len(about.subject), len(about.author)) == (200, 100)


@pytest.mark.parametrize("filter", ["sparse:oid=main:a", "combine:blob:none+tree:0", "object:type=tag"])
async def test_filters_that_cost_much_are_not_served(stand: Stand, filter: str) -> None:
    await stand.commit({"a": "1"})
    await pushed(stand, "main")
    cloned = await run(
        "git", "clone", "--quiet", f"--filter={filter}", stand.repository(), str(stand.folder / "clone"),
        env=developer_environment(), check=False,
    )
    assert cloned.status != 0
