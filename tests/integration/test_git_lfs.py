# ruff: noqa: E501   cases are lines
"""Contents of Git LFS from the server beside a remote, and from where that one sends us."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import encode_basic_auth, web

from deployd.errors import Transient
from deployd.git.lfs import JSON, LfsMissing, LfsServer, server_of
from deployd.git.lfs_pointers import LISTS, Content, Pointer, find_pointers
from deployd.git.mirror import Mirror
from deployd.git.origin import Origin
from deployd.git.program import git
from deployd.git.workspace import _attributes_above, export
from deployd.ids import CommitId
from deployd.process import run
from deployd.project.tree.limits import TreeLimits
from tests.integration.test_git_submodules import commit_tree

LOGO, FILM = b"\x89PNG" + b"x" * 400_000, b"film" * 100_000
WHO = {f"GIT_{role}_{what}": "ada@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
ATTRIBUTES = b"*.png filter=lfs diff=lfs merge=lfs -text\n*.mp4 filter=lfs\n"


def pointer(content: bytes) -> bytes:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(content).hexdigest()}\nsize {len(content)}\n"
    return text.encode()


@dataclass
class Store:
    """A server of Git LFS."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    """{oid: what the batch says instead}"""
    status: int = 200
    body: str = ""
    heads: list[tuple[str, str]] = field(default_factory=list)
    """(path, Authorization)"""

    @property
    def server(self) -> LfsServer:
        found = server_of(f"https://127.0.0.1:{self.port}/me/shop", "of-the-operator")
        assert found is not None
        return found

    async def batch(self, request: web.Request) -> web.Response:
        self.heads.append((request.path, request.headers.get("Authorization", "")))
        if self.status != 200 or self.body:
            return web.Response(status=self.status, text=self.body)
        asked = json.loads(await request.text())
        assert asked["operation"] == "download"
        return web.Response(content_type=JSON, text=json.dumps({"objects": [self._say(item) for item in asked["objects"]]}))

    def _say(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["oid"] in self.said:
            return {**item, **self.said[item["oid"]]}
        if item["oid"] not in self.objects:
            return {**item, "error": {"code": 404, "message": "gone"}}
        href = f"https://127.0.0.1:{self.port}/bucket/{item['oid']}"
        return {**item, "actions": {"download": {"href": href, "header": {"Authorization": "Bearer of-the-bucket"}}}}

    async def bucket(self, request: web.Request) -> web.Response:
        self.heads.append(("/bucket", request.headers.get("Authorization", "")))
        return web.Response(body=self.objects[request.match_info["oid"]])


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    key, certificate = tmp_path / "key.pem", tmp_path / "own.pem"
    await run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
              "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
              "-keyout", str(key), "-out", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    store, app = Store(), web.Application()
    app.add_routes([web.post("/me/shop.git/info/lfs/objects/batch", store.batch), web.get("/bucket/{oid}", store.bucket)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    store.port = runner.addresses[0][1]
    store.objects = {hashlib.sha256(content).hexdigest(): content for content in (LOGO, FILM)}
    yield store
    await runner.cleanup()


@pytest.fixture
async def mirror(tmp_path: Path) -> Mirror:
    mirror = Mirror(tmp_path / "repos" / "shop.git")
    await mirror.ensure()
    return mirror


async def commit_of(mirror: Mirror, files: Mapping[str, bytes], modes: Mapping[str, str] | None = None) -> CommitId:
    env = {"GIT_INDEX_FILE": str(mirror.path / "index-of-test"), "GIT_WORK_TREE": str(mirror.path)}
    words: list[str] = []
    for path, content in files.items():
        blob = (await git(mirror.path, "hash-object", "-w", "--stdin", stdin=content)).text
        words += ["--cacheinfo", f"{(modes or {}).get(path, '100644')},{blob},{path}"]
    await git(mirror.path, "update-index", "--add", *words, env=env)
    return await commit_tree(mirror, (await git(mirror.path, "write-tree", env=env)).text)


async def test_contents_take_the_place_of_their_pointers(mirror: Mirror, store: Store, tmp_path: Path) -> None:
    files = {".gitattributes": ATTRIBUTES, "a/logo.png": pointer(LOGO), "b/logo.png": pointer(LOGO), "b/film.mp4": pointer(FILM),
             "b/plain.png": b"committed as it is", "b/short": b"x" * 130}
    found = await commit_of(mirror, files, {"b/film.mp4": "100755"})
    await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(lfs=store.server))
    there = tmp_path / "workspace"
    assert ((there / "a/logo.png").read_bytes(), (there / "b/logo.png").read_bytes()) == (LOGO, LOGO)
    assert ((there / "b/film.mp4").read_bytes(), (there / "b/film.mp4").stat().st_mode & 0o777) == (FILM, 0o755)
    assert (there / "b/plain.png").read_bytes() == b"committed as it is"
    assert [path.name for path in tmp_path.glob("lfs-*")] == []
    operator = encode_basic_auth("x-access-token", "of-the-operator")
    assert sorted(store.heads) == [("/bucket", "Bearer of-the-bucket")] * 2 + [("/me/shop.git/info/lfs/objects/batch", operator)]


async def test_a_list_above_the_folder_of_an_application_counts_in_it(mirror: Mirror, store: Store, tmp_path: Path) -> None:
    found = await commit_of(mirror, {".gitattributes": ATTRIBUTES, "apps/shop/logo.png": pointer(LOGO), "apps/shop/a": b"1"})
    await export(mirror, found, "apps/shop", tmp_path / "workspace", TreeLimits(), Origin(lfs=store.server))
    assert (tmp_path / "workspace/logo.png").read_bytes() == LOGO


async def test_without_a_list_or_a_server_a_pointer_stays_what_it_is(mirror: Mirror, store: Store, tmp_path: Path) -> None:
    without = await commit_of(mirror, {"logo.png": pointer(LOGO)})
    await export(mirror, without, "", tmp_path / "one", TreeLimits(), Origin(lfs=store.server))
    listed = await commit_of(mirror, {".gitattributes": ATTRIBUTES})
    await export(mirror, listed, "", tmp_path / "two", TreeLimits())
    assert [(tmp_path / name / "logo.png").read_bytes() for name in ("one", "two")] == [pointer(LOGO)] * 2
    assert store.heads == []


@pytest.mark.parametrize(("said", "why"), [
    ({"error": {"code": 404}}, "the server says 404"),
    ({"actions": {}}, "does not say where it is"), ({"actions": {"download": {"href": 5}}}, "is not https"),
    ({"actions": {"download": {"href": "http://127.0.0.1:{port}/bucket/{film}"}}}, "is not https"),
    ({"actions": {"download": {"href": "https://10.9.8.7/x"}}}, "10.9.8.7 is not a public address"),
    ({"actions": {"download": {"href": "https://127.0.0.1:1/x"}}}, "127.0.0.1 is not a public address"),
    ({"actions": {"download": {"href": "https://127.0.0.1:{port}/bucket/{film}"}}}, "what came is another content"),
    ({"actions": {"download": {"href": "https://127.0.0.1:{port}/nothing"}}}, "answered 404"),
    ({"actions": {"download": {"href": "https://127.0.0.1:{port}/x", "header": {"A": "b\r\nHost: c"}}}}, "a header that is none"),
    ({"error": {"code": float("inf")}}, "does not say where it is"),
    ({"actions": {"download": {"href": "https://127.0.0.1:x/"}}}, "nobody can ask"),
    ({"actions": {"download": {"href": "https://a:b@127.0.0.1:{port}/x", "header": {"Authorization": "c"}}}}, "nobody can ask"),
])
async def test_what_cannot_be_had_is_named_and_no_build_begins(
    mirror: Mirror, store: Store, tmp_path: Path, said: dict[str, Any], why: str,
) -> None:
    text = json.dumps(said).replace("{port}", str(store.port)).replace("{film}", hashlib.sha256(FILM).hexdigest())
    store.said = {hashlib.sha256(LOGO).hexdigest(): json.loads(text)}
    found = await commit_of(mirror, {".gitattributes": ATTRIBUTES, "logo.png": pointer(LOGO), "film.mp4": pointer(FILM)})
    with pytest.raises(LfsMissing) as caught:
        await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(lfs=store.server))
    assert (caught.value.where, len(caught.value.evidence)) == ("logo.png", 1)
    assert why in caught.value.evidence[0]
    assert "of-the-operator" not in "\n".join(caught.value.lines())
    assert (tmp_path / "workspace/logo.png").read_bytes() == pointer(LOGO)


@pytest.mark.parametrize(("status", "body", "kind"), [
    (403, "", LfsMissing), (200, "[]", LfsMissing), (200, "{", LfsMissing), (200, "[" * 100_000, LfsMissing), (503, "", Transient),
])
async def test_a_server_that_does_not_help_is_told(
    mirror: Mirror, store: Store, tmp_path: Path, status: int, body: str, kind: type[Exception],
) -> None:
    store.status, store.body = status, body
    found = await commit_of(mirror, {".gitattributes": ATTRIBUTES, "logo.png": pointer(LOGO)})
    with pytest.raises(kind):
        await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(lfs=store.server))


async def test_a_link_on_the_way_to_a_pointer_leads_nowhere(mirror: Mirror, store: Store, tmp_path: Path) -> None:
    """The name stands twice in the tree: as a link to a folder of the host, and as a folder with a pointer."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/logo.png").write_bytes(pointer(LOGO))
    blobs = [(await git(mirror.path, "hash-object", "-w", "--stdin", stdin=content)).text
             for content in (ATTRIBUTES, str(tmp_path / "elsewhere").encode(), pointer(LOGO))]
    inner = (await git(mirror.path, "mktree", stdin=f"100644 blob {blobs[2]}\tlogo.png\n".encode())).text
    data = b"".join(mode + b"\0" + bytes.fromhex(found) for mode, found in (
        (b"100644 .gitattributes", blobs[0]), (b"120000 way", blobs[1]), (b"40000 way", inner)))
    tree = await git(mirror.path, "hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=data)
    whole = await commit_tree(mirror, tree.text)
    await asyncio.gather(
        export(mirror, whole, "", tmp_path / "workspace", TreeLimits(), Origin(lfs=store.server)), return_exceptions=True,
    )
    assert (tmp_path / "elsewhere/logo.png").read_bytes() == pointer(LOGO)


@pytest.mark.parametrize(("remote", "url"), [
    ("https://github.com/me/shop", "https://github.com/me/shop.git/info/lfs"),
    ("https://github.com/me/shop.git/", "https://github.com/me/shop.git/info/lfs"),
    ("https://ann:word@git.example:8443/shop.git", "https://git.example:8443/shop.git/info/lfs"),
    ("git@github.com:me/shop.git", None), ("file:///srv/shop.git", None), ("http://git.example/shop.git", None),
])
def test_the_server_is_beside_a_remote_that_is_read_over_https(remote: str, url: str | None) -> None:
    found = server_of(remote, None)
    assert (found.url if found else None) == url


async def test_one_content_that_stands_often_counts_as_often(mirror: Mirror, store: Store, tmp_path: Path) -> None:
    """A few kilobytes of a push would fill the disk: each pointer is another copy."""
    large = pointer(LOGO).replace(f"size {len(LOGO)}".encode(), b"size 1073741824")
    names = {f"{number}.png": large for number in range(5)}
    found = await commit_of(mirror, {".gitattributes": ATTRIBUTES, **names})
    with pytest.raises(LfsMissing, match="or have more than 4 GiB"):
        await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(lfs=store.server))
    assert store.heads == []


def test_pointers_behind_many_small_files_are_found(tmp_path: Path) -> None:
    (tmp_path / ".gitattributes").write_bytes(ATTRIBUTES)
    (tmp_path / "z.png").write_bytes(pointer(LOGO))
    sizes = {".gitattributes": len(ATTRIBUTES), **{f"a/{number}": 130 for number in range(20_001)}, "z.png": len(pointer(LOGO))}
    listing = b"".join(f"100644 blob {'0' * 40} {size}\t{name}\0".encode() for name, size in sizes.items())
    assert [found.path for found in find_pointers(tmp_path, listing)] == ["z.png"]


async def test_a_name_that_is_no_text_can_be_told(mirror: Mirror, store: Store, tmp_path: Path) -> None:
    blob = (await git(mirror.path, "hash-object", "-w", "--stdin", stdin=pointer(b"nobody has it"))).text
    listed = (await git(mirror.path, "hash-object", "-w", "--stdin", stdin=ATTRIBUTES)).text
    rows = b"100644 blob %b\t.gitattributes\n100644 blob %b\t\xff\x1b.png\n" % (listed.encode(), blob.encode())
    found = await commit_tree(mirror, (await git(mirror.path, "mktree", stdin=rows)).text)
    with pytest.raises(LfsMissing) as caught:
        await export(mirror, found, "", tmp_path / "workspace", TreeLimits(), Origin(lfs=store.server))
    text = "\n".join(caught.value.lines())
    assert "\x1b" not in text
    assert text.encode()


async def test_a_large_list_in_each_folder_above_is_read_up_to_a_bound(mirror: Mirror) -> None:
    found = await commit_of(mirror, {f"{'a/' * depth}{LISTS}": b"#" * 300_000 for depth in range(10)})
    assert await _attributes_above(mirror, found, "a/" * 9 + "a") == b""
    said = await commit_of(mirror, {LISTS: ATTRIBUTES + b"#" * 300_000, f"a/{LISTS}": ATTRIBUTES})
    assert await _attributes_above(mirror, said, "a/b") == ATTRIBUTES


async def test_a_content_that_ends_while_it_is_written_leaves_other_files_alone(tmp_path: Path) -> None:
    """Who waits is cancelled, its thread is not; the number of a closed file would soon be another file's."""
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace/a").touch()
    content = Content(tmp_path / "workspace", (Pointer("a", "0" * 64, 10),))
    content.begin()
    assert content.take(b"12345")
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]
    with content.turn:   # a thread is at it
        ending = asyncio.create_task(asyncio.to_thread(content.end))
        await asyncio.sleep(0.2)
        assert os.fstat(content.handle).st_size == 5
    await ending
    assert (content.handle, content.take(b"67890")) == (-1, False)
    with pytest.raises(OSError, match="ended early"):
        content.put()
    content.begin()
    assert content.handle == -1
