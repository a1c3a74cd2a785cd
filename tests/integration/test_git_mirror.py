"""A project's mirror, with real repositories: commits, trees, remotes that hang, workspaces."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.errors import Transient
from deployd.git.mirror import Mirror
from deployd.git.origin import Origin
from deployd.git.program import git
from deployd.git.remote import Fetches, FetchFailed, fetch
from deployd.git.submodule_list import SubmoduleMissing
from deployd.git.workspace import export
from deployd.ids import CommitId
from deployd.process import run
from deployd.project.tree.limits import TreeLimits
from deployd.public_addresses import parse_opening
from tests.support.intake_stand import (
    Stand,
    commit_files,
    developer_environment,
    make_working_tree,
    open_stand,
    refs_of,
)

LOOPBACK = (parse_opening("127.0.0.1"),)


class Author:
    """Somebody with a working tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def git(self, *arguments: str) -> str:
        return (await run("git", *arguments, cwd=self.folder, env=developer_environment())).text

    async def commit(self, files: dict[str, str | bytes], message: str = "A change") -> CommitId:
        await commit_files(self.folder, files)
        await self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return CommitId(await self.git("rev-parse", "HEAD"))


@pytest.fixture
async def author(tmp_path: Path) -> Author:
    await make_working_tree(tmp_path / "work")
    return Author(tmp_path / "work")


@pytest.fixture
async def mirror(tmp_path: Path) -> Mirror:
    mirror = Mirror(tmp_path / "repos" / "shop.git")
    await mirror.ensure()
    return mirror


async def test_a_mirror_may_be_made_many_times_at_the_same_moment(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "repos" / "shop.git")
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(mirror.ensure(tmp_path / 'hooks of "us"', "trunk"))
    assert (await git(mirror.path, "config", "core.hooksPath")).text == str(tmp_path / 'hooks of "us"')
    assert (await git(mirror.path, "config", "receive.advertisePushOptions")).text == "true"
    assert (await git(mirror.path, "symbolic-ref", "HEAD")).text == "refs/heads/trunk"
    assert os.listdir(tmp_path / "repos") == ["shop.git"]


async def test_a_commit_tells_about_itself(author: Author, mirror: Mirror) -> None:
    commit = await author.commit({"a": "1"}, "Größer: \"alles\"\n\nMore text")
    await fetch(mirror, str(author.folder))
    about = await mirror.about(commit)
    assert (about.commit, about.subject, about.author) == (commit, 'Größer: "alles"', "Ada")
    assert await mirror.resolve("refs/heads/main") == commit
    assert await mirror.resolve(commit[:10]) == commit
    assert await mirror.resolve("refs/heads/none") is None
    assert await mirror.resolve("--all") is None
    assert await mirror.branches() == {"main": commit}


async def test_a_fetch_follows_forced_and_deleted_branches(author: Author, mirror: Mirror) -> None:
    await author.commit({"a": "1"})
    await author.git("branch", "old")
    await author.git("tag", "v1")
    await fetch(mirror, str(author.folder))
    await author.git("branch", "-D", "old")
    await author.git("branch", "old/one")        # a folder where a file was
    await author.git("commit", "--quiet", "--amend", "-m", "Another")
    await fetch(mirror, str(author.folder))
    tip = CommitId(await author.git("rev-parse", "HEAD"))
    assert (await mirror.branches())["main"] == tip
    assert set(await refs_of(mirror)) == {"refs/heads/main", "refs/heads/old/one", "refs/tags/v1"}


async def test_fetches_at_the_same_time_do_not_hinder_each_other(author: Author, mirror: Mirror) -> None:
    for number in range(30):
        await author.commit({"a": str(number)})
        await author.git("branch", f"b{number}")
    fetches = Fetches()
    await fetches.fetch(mirror, str(author.folder), None)
    for number in range(30):
        await author.git("branch", "--force", f"b{number}", "main~1")
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(fetches.fetch(mirror, str(author.folder), None))
    assert len(set((await mirror.branches()).values())) == 2
    later = await author.commit({"a": "later"})
    await fetches.fetch(mirror, str(author.folder), None)
    assert (await mirror.branches())["main"] == later


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with open_stand(tmp_path / "remote", {"shop": {}}) as stand:
        await stand.commit({"a": "1"})
        await stand.developer("push", "--quiet", "--push-option=no-wait", stand.repository(), "main")
        yield stand


async def test_a_token_opens_a_remote_and_is_seen_nowhere(stand: Stand, mirror: Mirror) -> None:
    url = f"{stand.url}/git/shop.git"
    await fetch(mirror, url, token="secret-of-eve")
    assert list(await mirror.branches()) == ["main"]
    assert "secret-of-eve" not in (mirror.path / "config").read_text()
    with pytest.raises(FetchFailed) as caught:
        await fetch(mirror, url, token="wrong-token")
    assert "wrong-token" not in "\n".join(caught.value.lines())
    with pytest.raises(FetchFailed):
        await fetch(mirror, url)


async def test_a_password_in_the_address_is_taken_out_of_it(
    stand: Stand, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    spy = tmp_path / "bin" / "git"
    spy.parent.mkdir()
    real = (await run("sh", "-c", "command -v git")).text
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/arguments\nexec {real} "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    await fetch(mirror, f"http://eve:secret%2Dof-eve@127.0.0.1:{stand.port}/git/shop.git")
    arguments = (tmp_path / "arguments").read_text()
    assert "fetch" in arguments
    assert "eve" not in arguments
    with pytest.raises(FetchFailed) as caught:
        await fetch(mirror, f"http://eve:not-it@127.0.0.1:{stand.port}/git/shop.git")
    assert "not-it" not in "\n".join(caught.value.lines())


async def test_a_repository_that_is_not_there_is_not_asked_for_again(stand: Stand, mirror: Mirror) -> None:
    with pytest.raises(FetchFailed):
        await fetch(mirror, f"{stand.url}/git/none.git", token="secret-of-ada")
    with pytest.raises(FetchFailed):
        await fetch(mirror, str(stand.folder / "nowhere"))


async def test_a_remote_that_is_down_is_worth_another_try(mirror: Mirror) -> None:
    with pytest.raises(Transient) as caught:
        await fetch(mirror, "http://127.0.0.1:1/shop.git")
    assert isinstance(caught.value.error, FetchFailed)


async def test_a_remote_that_hangs_is_given_up(mirror: Mirror) -> None:
    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    began = time.monotonic()
    with pytest.raises(Transient, match=r"did not answer within 0\.5 s"):
        await fetch(mirror, f"http://127.0.0.1:{port}/shop.git", limit_seconds=0.5)
    assert time.monotonic() - began < 5
    server.close()
    found = await run("pgrep", "-f", f"127.0.0.1:{port}/shop.git", check=False)
    assert found.text == ""


async def test_files_keep_modes_links_and_names(author: Author, mirror: Mirror, tmp_path: Path) -> None:
    (author.folder / "to-a").symlink_to("a")
    (author.folder / "out").symlink_to("/etc/passwd")
    await commit_files(author.folder, {
        "a": "1", "run.sh": "#!/bin/sh\n", "ä/ö .txt": "x", "hidden/.env": "", "app/only": "in a folder",
        ".gitattributes": "hidden export-ignore\n",
    })
    (author.folder / "run.sh").chmod(0o755)
    commit = await author.commit({})
    await fetch(mirror, str(author.folder))
    place = tmp_path / "workspace"
    await export(mirror, commit, "", place, TreeLimits())
    assert (place / "run.sh").stat().st_mode & stat.S_IXUSR
    assert not (place / "a").stat().st_mode & stat.S_IXUSR
    assert os.readlink(place / "to-a") == "a"
    assert os.readlink(place / "out") == "/etc/passwd"
    assert (place / "ä/ö .txt").read_text() == "x"
    assert (place / "hidden/.env").exists()      # git archive would leave it out
    await export(mirror, commit, "app", place, TreeLimits())
    assert os.listdir(place) == ["only"]
    assert set(os.listdir(tmp_path)) == {"work", "repos", "workspace"}
    assert not [name for name in os.listdir(mirror.path) if name.startswith("export-")]


async def test_thirty_thousand_files_are_there_in_seconds(author: Author, mirror: Mirror, tmp_path: Path) -> None:
    lines = "".join(
        f"M 100644 inline d{number % 300}/f{number}.php\ndata <<E\nfile {number}\nE\n" for number in range(30_000)
    )
    stream = f"commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n{lines}"
    await git(mirror.path, "fast-import", "--quiet", stdin=stream.encode())
    commit = await mirror.resolve("refs/heads/main")
    assert commit is not None
    began = time.monotonic()
    await export(mirror, commit, "", tmp_path / "workspace", TreeLimits())
    taken = time.monotonic() - began
    counted = sum(len(files) for _, _, files in os.walk(tmp_path / "workspace"))
    assert counted == 30_000
    assert taken < 20


async def test_the_digest_of_a_folder_knows_content_modes_and_submodules(author: Author, mirror: Mirror) -> None:
    async def digest(files: dict[str, str | bytes], root: str = "", without: frozenset[str] = frozenset()) -> str:
        commit = await author.commit(files)
        await fetch(mirror, str(author.folder))
        return await mirror.listing_digest(commit, root, without)

    first = await digest({"app/a": "1", "app/.platform.app.yaml": "x", ".platform/routes.yaml": "x", "b": "1"})
    assert await digest({"app/a": "2"}) != first
    assert await digest({"app/a": "1"}) == first
    (author.folder / "app/a").chmod(0o755)
    assert await digest({}) != first
    (author.folder / "app/a").chmod(0o644)
    left_out = frozenset({"app/.platform.app.yaml", ".platform"})
    one = await digest({}, "app", left_out)
    assert await digest({"app/.platform.app.yaml": "y", "b": "2"}, "app", left_out) == one
    assert await digest({"app/.platform.app.yaml2": "y"}, "app", left_out) != one
    whole = await digest({}, "", left_out)
    assert await digest({".platform/services.yaml": "y"}, "", left_out) == whole


async def test_changed_files_and_ancestors(author: Author, mirror: Mirror) -> None:
    one = await author.commit({"app/a": "1", "app/b": "1", "[x]/c": "1", "x/c": "1"})
    two = await author.commit({"app/a": "2", "app/new": "1", "[x]/c": "2", "x/c": "2"})
    await fetch(mirror, str(author.folder))
    assert await mirror.changed_files(one, two, "") == 4
    assert await mirror.changed_files(one, two, "app") == 2
    assert await mirror.changed_files(one, two, "[x]") == 1
    assert await mirror.changed_files(one, one, "app") == 0
    assert await mirror.changed_files(CommitId("d" * 40), two, "") is None
    assert await mirror.is_ancestor(one, two)
    assert not await mirror.is_ancestor(two, one)


@pytest.mark.parametrize(("url", "said"), [
    ("git@example.com:acme/lib.git", "only https:// addresses can be fetched"),
    ("../lib.git", "only https:// addresses can be fetched"),
    ("file:///etc", "only https:// addresses can be fetched"),
    ("", "has no address: .gitmodules does not name one"),
])
async def test_a_submodule_that_may_not_be_fetched_is_named(
    author: Author, mirror: Mirror, tmp_path: Path, url: str, said: str,
) -> None:
    wanted = "c" * 40
    await commit_files(author.folder, {
        ".gitmodules": f'[submodule "my lib"]\n\tpath = libs/my lib\n\turl = {url}\n', "a": "1",
    })
    await author.git("update-index", "--add", "--cacheinfo", f"160000,{wanted},libs/my lib")
    await author.git("commit", "--quiet", "-m", "With a submodule")
    await fetch(mirror, str(author.folder))
    commit = await mirror.resolve("refs/heads/main")
    assert commit is not None
    with pytest.raises(SubmoduleMissing) as caught:
        await export(mirror, commit, "", tmp_path / "workspace", TreeLimits())
    told = "\n".join(caught.value.lines())
    assert "libs/my lib" in told
    assert said in told
    assert ".gitmodules" in told


async def test_objects_that_are_made_to_do_harm_are_not_fetched(author: Author, mirror: Mirror) -> None:
    await author.commit({".gitmodules": '[submodule "lib"]\n\tpath = lib\n\turl = --upload-pack=touch /tmp/x\n'})
    with pytest.raises(FetchFailed) as caught:
        await fetch(mirror, str(author.folder))
    assert "gitmodulesUrl" in "\n".join(caught.value.evidence)
    assert await refs_of(mirror) == {}


async def test_submodules_are_fetched_over_https(author: Author, mirror: Mirror, tmp_path: Path) -> None:
    async with open_stand(tmp_path / "forge", {"lib": {}}, tls=True) as stand:
        wanted = await stand.commit({"lib.php": "wanted"})
        await stand.developer("push", "--quiet", "--push-option=no-wait", stand.repository(project="lib"), "main")
        await commit_files(author.folder, {".gitmodules": "".join(
            f'[submodule "{name}"]\n\tpath = {name}\n\turl = {stand.repository("secret-of-eve", "lib")}\n'
            for name in ("one", "app/two")
        ), "app/a": "1"})
        for name in ("one", "app/two"):
            await author.git("update-index", "--add", "--cacheinfo", f"160000,{wanted},{name}")
        await author.git("commit", "--quiet", "-m", "With submodules")
        commit = CommitId(await author.git("rev-parse", "HEAD"))
        await fetch(mirror, str(author.folder))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GIT_SSL_CAINFO", str(stand.folder / "tls.pem"))
            await export(mirror, commit, "", tmp_path / "workspace", TreeLimits(), Origin(openings=LOOPBACK))
            await export(mirror, commit, "app", tmp_path / "app", TreeLimits(), Origin(openings=LOOPBACK))
    assert (tmp_path / "workspace/one/lib.php").read_text() == "wanted"
    assert (tmp_path / "workspace/app/two/lib.php").read_text() == "wanted"
    assert (tmp_path / "app/two/lib.php").read_text() == "wanted"
    assert not (tmp_path / "workspace/one/.git").exists()


async def test_a_submodule_that_cannot_be_reached_is_named_with_its_commit(
    author: Author, mirror: Mirror, tmp_path: Path,
) -> None:
    await commit_files(author.folder, {
        ".gitmodules": '[submodule "lib"]\n\tpath = lib\n\turl = https://127.0.0.1:1/lib.git\n',
    })
    await author.git("update-index", "--add", "--cacheinfo", f"160000,{'c' * 40},lib")
    await author.git("commit", "--quiet", "-m", "With a submodule")
    await fetch(mirror, str(author.folder))
    commit = await mirror.resolve("refs/heads/main")
    assert commit is not None
    with pytest.raises(Transient) as caught:
        await export(mirror, commit, "", tmp_path / "workspace", TreeLimits(), Origin(openings=LOOPBACK))
    assert "the submodule lib at cccccccc cannot be had" in caught.value.error.what
