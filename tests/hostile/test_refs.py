"""Refs, names and objects that would make git mean something else than it says."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deployd.process import Output, run
from scripts.git_push import git_environment
from scripts.local_daemon import LocalDaemon
from scripts.repository import make_repository
from tests.support.developer import Developer, write_start
from tests.support.git_objects import BLOB, LINK, TREE, write_commit, write_object, write_tree

PROJECT = "refs"
HELPER = "!f() { echo username=any; echo \"password=$LOCAL_DAEMON_TOKEN\"; }; f"
ODD = (
    "refs/replace/{commit}", "refs/replace/{other}", "refs/notes/commits", "refs/pull/1/head", "refs/stash", "refs/x/y",
    "refs/remotes/origin/main", "refs/heads/HEAD", "refs/heads/FETCH_HEAD", "refs/heads/refs/heads/main",
    "refs/heads/refs/replace/x", "refs/heads/@", "refs/heads/-x", "refs/heads/--upload-pack=touch",
    "refs/heads/{commit}", "refs/heads/" + "x" * 201, "refs/heads/mai\u202en", "refs/heads/ma\u200bin",
    "refs/heads/ma\xa0in", "refs/heads/main\u2028x", "refs/heads/main\x85x", "refs/heads/ma\udcffin",
    "refs/tags/HEAD", "refs/tags/refs/heads/main", "refs/tags/-v1", "refs/tags/{commit}", "refs/tags/v\u202e1",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mallory(daemon: LocalDaemon, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Developer]:
    """A developer whose environment is live, with two commits."""
    folder = tmp_path_factory.mktemp("refs") / PROJECT
    await make_repository(folder, write_start(folder.parent / "start"))
    made = Developer(daemon, folder, PROJECT)
    assert (await made.push()).deployed
    yield made
    shutil.rmtree(folder)


async def git(mallory: Developer, *arguments: str, check: bool = True) -> Output:
    return await run(
        "git", "-c", f"credential.helper={HELPER}", *arguments, cwd=mallory.folder,
        env=git_environment(mallory.daemon.token), check=check,
    )


async def pushed(mallory: Developer, *refs: str) -> tuple[int, str]:
    output = await git(mallory, "push", mallory.daemon.repository_url(PROJECT), *refs, check=False)
    return output.status, output.stderr.decode(errors="replace")


def refs_on_the_host(daemon: LocalDaemon) -> set[str]:
    """Files of refs in the repository, packed ones too."""
    repository = daemon.directory / "var/state/repos" / f"{PROJECT}.git"
    loose = {str(file.relative_to(repository)) for file in (repository / "refs").rglob("*") if file.is_file()}
    packed = repository / "packed-refs"
    lines = packed.read_text().splitlines() if packed.exists() else []
    return loose | {line.split(" ", 1)[1] for line in lines if not line.startswith(("#", "^"))}


@pytest.mark.parametrize("ref", ODD)
async def test_an_odd_ref_leaves_no_trace(daemon: LocalDaemon, mallory: Developer, ref: str) -> None:
    commit = (await git(mallory, "rev-parse", "HEAD")).text
    before = refs_on_the_host(daemon)
    status, told = await pushed(mallory, f"HEAD:{ref.format(commit=commit, other='1' * 40)}")
    assert status != 0
    assert "remote: hint: " in told
    assert "incident" not in told
    assert refs_on_the_host(daemon) == before
    assert (await mallory.page())[0] == 200


async def test_a_commit_that_was_replaced_by_itself_is_deployed_again(daemon: LocalDaemon, mallory: Developer) -> None:
    """As a daemon of the version before took it: the ref lies there already, and bricks nothing."""
    commit = (await git(mallory, "rev-parse", "HEAD")).text
    file = daemon.directory / "var/state/repos" / f"{PROJECT}.git/refs/replace" / commit
    file.parent.mkdir(parents=True)
    file.write_text(commit + "\n")
    try:
        pushed_again = await mallory.push("replaced")
        assert pushed_again.deployed
        assert (await mallory.page("replaced"))[1] == "first on replaced"
        assert "refs/replace" not in (await git(mallory, "ls-remote", daemon.repository_url(PROJECT))).text
    finally:
        shutil.rmtree(file.parent)
        await mallory.push("replaced", delete=True)


@pytest.mark.parametrize("kind", ["dot git", "dot dot", "slash", "twice", "link and folder", "gitmodules link"])
async def test_harmful_objects_reach_no_folder_of_the_host(
    daemon: LocalDaemon, mallory: Developer, kind: str, tmp_path: Path,
) -> None:
    work = mallory.folder
    link, text = write_object(work, "blob", str(tmp_path).encode()), write_object(work, "blob", b"from mallory")
    inner = write_tree(work, (BLOB, "written", text))
    tree = write_tree(work, *{
        "dot git": [(TREE, ".git", inner)],
        "dot dot": [(TREE, "..", inner)],
        "slash": [(BLOB, f"../../../../../../..{tmp_path}/written", text)],
        "twice": [(LINK, "x", link), (LINK, "x", link)],
        "link and folder": [(LINK, "x", link), (TREE, "x", inner)],
        "gitmodules link": [(LINK, ".gitmodules", link)],
    }[kind])
    before = refs_on_the_host(daemon)
    status, _ = await pushed(mallory, f"{write_commit(work, tree)}:refs/heads/evil")
    assert status != 0
    assert refs_on_the_host(daemon) == before
    assert list(tmp_path.iterdir()) == []
