"""Submodules as a hostile repository writes them: this host is not connected to, and nothing is written elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deployd.errors import DeployError, Transient
from deployd.git import submodules
from deployd.git.mirror import Mirror
from deployd.git.origin import Origin
from deployd.git.program import git
from deployd.git.remote import FetchFailed, fetch
from deployd.git.submodule_list import SubmoduleMissing
from deployd.git.submodule_prefetch import Prefetched, SubmodulePrefetch
from deployd.git.submodules import SubmoduleRefused, SubmodulesTooLarge
from deployd.git.workspace import export
from deployd.ids import CommitId
from deployd.process import run
from deployd.project.tree.limits import TreeLimits
from deployd.public_addresses import parse_opening
from tests.integration.test_git_proxy import Listener, listening
from tests.support.intake_stand import Stand, open_stand

LOOPBACK = (parse_opening("127.0.0.1"),)
WANTED = "c" * 40


@pytest.fixture
async def mirror(tmp_path: Path) -> Mirror:
    mirror = Mirror(tmp_path / "repos" / "shop.git")
    await mirror.ensure()
    return mirror


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with listening() as found:
        yield found


async def commit(mirror: Mirror, modules: str, links: Mapping[str, str]) -> CommitId:
    """A commit with this .gitmodules and these submodules {path: commit}."""
    text = modules.encode("utf-8", "surrogateescape")
    blob = (await git(mirror.path, "hash-object", "-w", "--stdin", stdin=text)).text
    env = {"GIT_INDEX_FILE": str(mirror.path / f"index-{os.urandom(4).hex()}"), "GIT_WORK_TREE": str(mirror.path)}
    entries = [f"100644,{blob},.gitmodules", *(f"160000,{link},{path}" for path, link in links.items())]
    words = [word for entry in entries for word in ("--cacheinfo", entry)]
    await git(mirror.path, "update-index", "--add", *words, env=env)
    return await commit_tree(mirror, (await git(mirror.path, "write-tree", env=env)).text)


async def commit_tree(mirror: Mirror, tree: str) -> CommitId:
    who = {f"GIT_{role}_{what}": "ada@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return CommitId((await git(mirror.path, "commit-tree", tree, "-m", "A change", env=who)).text)


def naming(url: str, path: str = "lib", name: str = "lib") -> str:
    return f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n'


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
    "user:pw@127.0.0.1", "127.0.0.1.", "localhost%2e", "%31%32%37.0.0.1", "①②⑦.0.0.1",
])
async def test_the_daemon_does_not_connect_to_its_own_host(
    mirror: Mirror, listener: Listener, tmp_path: Path, host: str,
) -> None:
    found = await commit(mirror, naming(f"https://{host}:{listener.port}/lib.git"), {"lib": WANTED})
    with pytest.raises((DeployError, Transient)):
        await export(mirror, found, "", tmp_path / "workspace", TreeLimits())
    assert listener.connections == 0


async def test_who_pushes_is_told_the_line_and_what_to_do(mirror: Mirror, listener: Listener, tmp_path: Path) -> None:
    found = await commit(mirror, naming(f"https://ann:secret@127.0.0.1:{listener.port}/lib.git"), {"lib": WANTED})
    with pytest.raises(SubmoduleRefused) as caught:
        await export(mirror, found, "", tmp_path / "workspace", TreeLimits())
    assert caught.value.where == ".gitmodules:3"
    assert caught.value.what == "the submodule lib leads to 127.0.0.1, which is not a public address"
    assert "containers.may_reach" in caught.value.hint
    assert "secret" not in "\n".join(caught.value.lines())


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:{port}/lib.git", "git://127.0.0.1:{port}/lib.git", "ssh://127.0.0.1:{port}/lib.git",
    "ssh://-oProxyCommand=touch%20{folder}/owned/x", "file://{folder}/repos/shop.git", "{folder}/repos/shop.git",
    "ext::sh -c touch% {folder}/owned", "fd::17/x", "-u./owned", "--upload-pack=touch {folder}/owned", "../shop.git",
    "", "https://", "https:///etc", "https://[::1", "https://127.0.0.1:99999/", "https://a b/",
    "https://127.0.0.1:{port}/\x01",
    "HTTPS+ext://x", "ftp://127.0.0.1:{port}/", "https://exa\udc80mple/",
    '"https://127.0.0.1:{port}/\\n--upload-pack=x"',
])
async def test_an_address_of_another_kind_is_refused_in_words(
    mirror: Mirror, listener: Listener, tmp_path: Path, url: str,
) -> None:
    text = naming(url.format(port=listener.port, folder=tmp_path))
    found = await commit(mirror, text, {"lib": WANTED})
    with pytest.raises((SubmoduleMissing, SubmoduleRefused)) as caught:
        await export(mirror, found, "", tmp_path / "workspace", TreeLimits())
    told = "\n".join(caught.value.lines())
    assert told.encode()   # it can be written into a log
    assert ".gitmodules" in told
    assert (listener.connections, (tmp_path / "owned").exists()) == (0, False)


@pytest.mark.parametrize("text", [
    '[include]\n\tpath = {folder}/secret\n', '[includeIf "gitdir:/"]\n\tpath = {folder}/secret\n',
    "[submodule", "\0\0\0", "[submodule \"lib\"]\n\tpath = lib\n\tupdate = !touch {folder}/owned\n",
    "# " + "x" * 2_000_000, "",
])
async def test_a_list_that_git_does_not_read_or_that_names_files_gives_no_address(
    mirror: Mirror, tmp_path: Path, text: str,
) -> None:
    (tmp_path / "secret").write_text(naming("https://127.0.0.1:1/of-the-host.git"))
    found = await commit(mirror, text.replace("{folder}", str(tmp_path)), {"lib": WANTED})
    with pytest.raises(SubmoduleMissing) as caught:
        await export(mirror, found, "", tmp_path / "workspace", TreeLimits())
    assert "has no address: .gitmodules does not name one" in caught.value.what
    assert not (tmp_path / "owned").exists()


async def test_a_submodule_without_a_list_is_told_by_its_own_path(mirror: Mirror, tmp_path: Path) -> None:
    tree = await git(mirror.path, "mktree", "--missing", stdin=f"160000 commit {WANTED}\tthemes\n".encode())
    found = await commit_tree(mirror, tree.text)
    with pytest.raises(SubmoduleMissing) as caught:
        await export(mirror, found, "", tmp_path / "workspace", TreeLimits())
    assert (caught.value.where, "there is no .gitmodules" in caught.value.what) == ("themes", True)
    assert "git rm --cached themes" in caught.value.hint


async def look(mirror: Mirror, found: CommitId, base: str | None = None, seconds: float = 20.0) -> Prefetched:
    listing = (await git(mirror.path, "ls-tree", "-r", "-z", found)).stdout
    return await SubmodulePrefetch(seconds).at(mirror, found, listing, ("",), Origin(base, LOOPBACK), None)


async def test_what_was_had_before_a_push_is_taken_needs_no_server_in_the_build(mirror: Mirror, tmp_path: Path) -> None:
    async with forge(tmp_path) as stand:
        url = stand.repository("secret-of-eve", "lib")
        inner = await push_library(stand, {"lib.php": "of the library", ".gitmodules": naming("../lib.git", "deep")})
        await stand.developer("update-index", "--add", "--cacheinfo", f"160000,{inner},deep")   # beside its parent
        await stand.developer("commit", "--quiet", "-m", "Deeper")
        await stand.developer("push", "--quiet", "--push-option=no-wait", stand.repository(project="lib"), "main")
        wanted = CommitId((await stand.developer("rev-parse", "HEAD")).text)
        found = await commit(mirror, naming("./lib.git"), {"lib": wanted})
        prefetched = await look(mirror, found, url.rpartition("/")[0])
        assert prefetched.errors == [], prefetched.errors[0].lines()
    await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(url.rpartition("/")[0], LOOPBACK))
    assert (tmp_path / "workspace/lib/deep/lib.php").read_text() == "of the library"


async def test_pointers_of_git_lfs_in_a_submodule_are_told(mirror: Mirror, tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12\n"
    async with forge(tmp_path) as stand:
        wanted = await push_library(stand, {".gitattributes": "*.png filter=lfs\n", "a.png": pointer, "b.png": pointer})
        found = await commit(mirror, naming(stand.repository("secret-of-eve", "lib")), {"lib": wanted})
        (note,) = await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(openings=LOOPBACK))
    assert note.startswith("lib/a.png and 1 more of a submodule: Git LFS keeps the content")


async def test_everything_that_can_never_be_had_is_told_at_once(mirror: Mirror, tmp_path: Path) -> None:
    async with forge(tmp_path) as stand:
        url = stand.repository("secret-of-eve", "lib")
        await push_library(stand, {"a": "1"})
        listed = {"gone": url, "ssh": "ssh://example.com/lib.git", "near": "../lib.git", "far": "https://10.9.8.7/lib.git"}
        text = "".join(naming(address, path, path) for path, address in listed.items())
        found = await commit(mirror, text, {**dict.fromkeys(listed, WANTED), "none": WANTED})
        told = {error.what.split()[2]: error.what for error in (await look(mirror, found)).errors}
        assert sorted(told) == ["far", "gone", "near", "none", "ssh"]
        assert "and there is no remote that it is relative to" in told["near"]
        assert (await look(mirror, found)).unseen == []
        of_others = (await git(mirror.path, "ls-tree", "-r", "-z", found)).stdout
        only = await SubmodulePrefetch().at(mirror, found, of_others, ("ssh", "other"), Origin(openings=LOOPBACK), None)
        assert [error.what.split()[2] for error in only.errors] == ["ssh"]   # what no application has is not asked for


async def test_a_server_that_does_not_answer_is_left_to_the_build(mirror: Mirror, listener: Listener) -> None:
    found = await commit(mirror, naming(f"https://127.0.0.1:{listener.port}/lib.git"), {"lib": WANTED})
    prefetched = await look(mirror, found, seconds=0.1)
    assert (prefetched.errors, [item.path for item in prefetched.unseen]) == ([], ["lib"])
    assert prefetched.notes() == ["the submodule lib was not had in time; the build asks for it again"]


async def test_who_was_not_asked_is_not_taken_for_slow_again(mirror: Mirror, listener: Listener) -> None:
    """A branch a minute would keep all later ones from being looked at."""
    found = await commit(mirror, naming(f"https://127.0.0.1:{listener.port}/lib.git"), {"lib": WANTED})
    listing = (await git(mirror.path, "ls-tree", "-r", "-z", found)).stdout
    prefetches, until = SubmodulePrefetch(0.1), []
    for _ in range(2):
        prefetched = await prefetches.at(mirror, found, listing, ("",), Origin(openings=LOOPBACK), None)
        assert [item.path for item in prefetched.unseen] == ["lib"]
        until.append(prefetches._slow_until[mirror.path])
    assert until[0] == until[1]


async def test_a_list_that_is_a_link_is_not_followed(mirror: Mirror, tmp_path: Path) -> None:
    """git refuses the whole tree."""
    (tmp_path / "secret").write_text(naming("https://127.0.0.1:1/of-the-host.git"))
    blob = await git(mirror.path, "hash-object", "-w", "--stdin", stdin=str(tmp_path / "secret").encode())
    tree = await git(mirror.path, "mktree", "--missing", stdin=(
        f"120000 blob {blob.text}\t.gitmodules\n160000 commit {WANTED}\tlib\n").encode())
    whole = await commit_tree(mirror, tree.text)
    with pytest.raises(DeployError) as caught:
        await export(mirror, whole, "", tmp_path / "workspace", TreeLimits())
    assert "of-the-host" not in "\n".join(caught.value.lines())


@pytest.mark.parametrize("names", [
    ["..", "owned"], [".git"], [".GIT", "modules"], ["."], ["", "owned"], ["a", "..", "..", "owned"],
])
async def test_a_path_that_leads_out_of_the_workspace_writes_nothing(
    mirror: Mirror, tmp_path: Path, names: list[str],
) -> None:
    """No git makes such a tree; its bytes are made here."""
    async with forge(tmp_path) as stand:
        wanted = await push_library(stand, {"lib.php": "x"})
        found = await _tree_of(mirror, [(b"160000", names[-1], wanted)])
        for name in reversed(names[:-1]):
            found = await _tree_of(mirror, [(b"40000", name, found)])
        whole = await _with_list(mirror, found, naming(stand.repository("secret-of-eve", "lib"), "/".join(names)))
        with pytest.raises((DeployError, Transient)):
            await export(mirror, whole, "", tmp_path / "workspace/inner", TreeLimits(), Origin(openings=LOOPBACK))
    assert {path.name for path in (tmp_path / "workspace").glob("*")} <= {"inner"}
    assert not (tmp_path / "owned").exists()
    assert not (tmp_path / "workspace/inner/.git").exists()


async def test_a_link_of_the_same_name_does_not_lead_a_submodule_elsewhere(mirror: Mirror, tmp_path: Path) -> None:
    """The name stands twice in the tree: as a link to a folder of the host, and as a folder with a submodule."""
    (tmp_path / "elsewhere/lib").mkdir(parents=True)
    (tmp_path / "elsewhere/lib/kept").write_text("of the host")
    async with forge(tmp_path) as stand:
        wanted = await push_library(stand, {"lib.php": "x"})
        link = (await git(mirror.path, "hash-object", "-w", "--stdin", stdin=str(tmp_path / "elsewhere").encode())).text
        inner = await _tree_of(mirror, [(b"160000", "lib", wanted)])
        for entries in ([(b"120000", "way", link), (b"40000", "way", inner)],
                        [(b"40000", "way", inner), (b"120000", "way", link)]):
            listed = naming(stand.repository("secret-of-eve", "lib"), "way/lib")
            whole = await _with_list(mirror, await _tree_of(mirror, entries), listed)
            with contextlib.suppress(DeployError, Transient):
                await export(mirror, whole, "", tmp_path / "workspace", TreeLimits(), Origin(openings=LOOPBACK))
    assert [path.name for path in (tmp_path / "elsewhere/lib").iterdir()] == ["kept"]


async def test_a_redirect_to_this_host_is_not_followed(
    mirror: Mirror, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server that it is allowed to ask sends git on, to another port and by another protocol."""
    for scheme in ("https", "http", "git", "file"):
        answer = (f"HTTP/1.1 301 Moved\r\nLocation: {scheme}://127.0.0.1:{listener.port}/lib.git/info/refs?service="
                  "git-upload-pack\r\nContent-Length: 0\r\n\r\n")
        async with tls_server(tmp_path, monkeypatch, answer) as (port, heads):
            found = await commit(mirror, naming(f"https://127.0.0.1:{port}/lib.git"), {"lib": WANTED})
            opened = (parse_opening(f"127.0.0.1:{port}"),)
            with pytest.raises((DeployError, Transient)):
                await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(openings=opened))
            assert heads, "the server itself was asked"
    assert listener.connections == 0


async def test_the_operators_remote_may_be_private_and_where_it_redirects_to_may_not(
    mirror: Mirror, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = (f"HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1:{listener.port}/shop.git/info/refs?service="
              "git-upload-pack\r\nContent-Length: 0\r\n\r\n")
    async with tls_server(tmp_path, monkeypatch, answer) as (port, heads):
        with pytest.raises(FetchFailed) as caught:
            await fetch(mirror, f"https://127.0.0.1:{port}/shop.git", token="of-the-operator")
    assert "127.0.0.1 is not a public address" in caught.value.evidence
    assert any("authorization: basic" in head.lower() for head in heads)
    assert listener.connections == 0
    async with forge(tmp_path) as stand:
        wanted = await push_library(stand, {"a": "1"})
        await fetch(mirror, stand.repository("secret-of-eve", "lib"))
    assert await mirror.resolve("refs/heads/main") == wanted


async def test_no_password_of_this_host_travels(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login root password of-the-host\n")
    (home / ".gitconfig").write_text('[http]\n\textraHeader = "X-Secret: of-the-host"\n')
    monkeypatch.setenv("HOME", str(home))
    answer = "HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
    async with tls_server(tmp_path, monkeypatch, answer) as (port, heads):
        found = await commit(mirror, naming(f"https://127.0.0.1:{port}/lib.git"), {"lib": WANTED})
        with pytest.raises(SubmoduleMissing):
            await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(openings=LOOPBACK))
    assert heads
    assert not any("authorization" in head.lower() or "of-the-host" in head for head in heads)


async def test_more_than_a_hundred_are_refused_before_one_is_fetched(
    mirror: Mirror, listener: Listener, tmp_path: Path,
) -> None:
    links = {f"lib{number}": WANTED for number in range(3000)}
    text = "".join(naming(f"https://127.0.0.1:{listener.port}/{name}.git", name, name) for name in links)
    blob = (await git(mirror.path, "hash-object", "-w", "--stdin", stdin=text.encode())).text
    entries = [f"100644 blob {blob}\t.gitmodules", *(f"160000 commit {link}\t{path}" for path, link in links.items())]
    tree = await git(mirror.path, "mktree", "--missing", stdin="\n".join(entries).encode())
    whole = await commit_tree(mirror, tree.text)
    with pytest.raises(SubmodulesTooLarge) as caught:
        await export(mirror, whole, "", tmp_path / "workspace", TreeLimits(), Origin(openings=LOOPBACK))
    assert "more than 100 submodules" in caught.value.what
    assert listener.connections == 0


async def test_submodules_of_submodules_end(mirror: Mirror, tmp_path: Path) -> None:
    """Each commit of a repository has the commit before it as a submodule."""
    async with forge(tmp_path) as stand:
        url = stand.repository("secret-of-eve", "lib")
        wanted = await push_library(stand, {"0": "deepest", ".gitmodules": naming(url)})
        depths = [wanted]
        for _ in range(6):
            await stand.developer("update-index", "--add", "--cacheinfo", f"160000,{depths[-1]},lib")
            await stand.developer("commit", "--quiet", "-m", "Deeper")
            depths.append(CommitId((await stand.developer("rev-parse", "HEAD")).text))
        await stand.developer("push", "--quiet", "--push-option=no-wait", stand.repository(project="lib"), "main")
        deep = await commit(mirror, naming(url), {"lib": depths[4]})
        await export(mirror, deep, "", tmp_path / "deep", TreeLimits(), Origin(openings=LOOPBACK))
        assert (tmp_path / "deep/lib/lib/lib/lib/lib/0").read_text() == "deepest"
        deeper = await commit(mirror, naming(url), {"lib": depths[6]})
        with pytest.raises(SubmodulesTooLarge) as caught:
            await export(mirror, deeper, "", tmp_path / "deeper", TreeLimits(), Origin(openings=LOOPBACK))
        assert "deeper than 5" in caught.value.what


async def test_what_comes_over_the_wire_has_a_limit_and_leaves_nothing(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submodules, "MOST_RECEIVED_BYTES", 100_000)
    async with forge(tmp_path) as stand:
        wanted = await push_library(stand, {"large": os.urandom(1_000_000)})
        found = await commit(mirror, naming(stand.repository("secret-of-eve", "lib")), {"lib": wanted})
        with pytest.raises(SubmodulesTooLarge) as caught:
            await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(openings=LOOPBACK))
    assert caught.value.where == ".gitmodules:3"
    assert list((mirror.path.parent / "shop.modules").iterdir()) == []


async def test_a_tree_that_names_one_file_a_million_times_is_not_written(mirror: Mirror, tmp_path: Path) -> None:
    async with forge(tmp_path) as stand:
        library = stand.mirror("lib")
        await push_library(stand, {"a": "1"})
        inner = (await git(library.path, "hash-object", "-w", "--stdin", stdin=b"x")).text
        kind = "100644 blob"
        for _ in range(6):
            listed = "".join(f"{kind} {inner}\t{number}\n" for number in range(10))
            inner, kind = (await git(library.path, "mktree", stdin=listed.encode())).text, "040000 tree"
        bomb = await commit_tree(library, inner)
        await git(library.path, "update-ref", "refs/heads/bomb", bomb)
        found = await commit(mirror, naming(stand.repository("secret-of-eve", "lib")), {"lib": bomb})
        with pytest.raises(SubmodulesTooLarge) as caught:
            await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(openings=LOOPBACK))
    assert "200,000 files" in caught.value.what
    assert list((tmp_path / "workspace/lib").iterdir()) == []


@asynccontextmanager
async def forge(tmp_path: Path) -> AsyncIterator[Stand]:
    """A git server with TLS and a repository `lib`, whose certificate is known."""
    async with open_stand(tmp_path / "forge", {"lib": {}}, tls=True) as stand:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GIT_SSL_CAINFO", str(stand.folder / "tls.pem"))
            yield stand


async def push_library(stand: Stand, files: Mapping[str, str | bytes]) -> CommitId:
    wanted = await stand.commit(files)
    await stand.developer("push", "--quiet", "--push-option=no-wait", stand.repository(project="lib"), "main")
    return wanted


@asynccontextmanager
async def tls_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str,
) -> AsyncIterator[tuple[int, list[str]]]:
    """(its port, the heads of requests that it got): answers every request with the same."""
    key, certificate = tmp_path / "own-key.pem", tmp_path / "own.pem"
    await run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
              "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
              "-keyout", str(key), "-out", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    heads: list[str] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(answer.encode())
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1], heads


async def _tree_of(mirror: Mirror, entries: list[tuple[bytes, str, str]]) -> str:
    """A tree from its bytes, whatever git thinks of it."""
    data = b"".join(mode + b" " + name.encode() + b"\0" + bytes.fromhex(found) for mode, name, found in entries)
    return (await git(mirror.path, "hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=data)).text


async def _with_list(mirror: Mirror, tree: str, modules: str) -> CommitId:
    """A commit of a tree's entries, and of a .gitmodules."""
    blob = (await git(mirror.path, "hash-object", "-w", "--stdin", stdin=modules.encode())).text
    entries = await git(mirror.path, "cat-file", "tree", tree)
    data = b"100644 .gitmodules\0" + bytes.fromhex(blob) + entries.stdout
    made = await git(mirror.path, "hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=data)
    return await commit_tree(mirror, made.text)
