"""git over HTTP: large packs, compressed requests, clients that leave half-way, and what is not spoken."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from deployd.intake.git_service import AT_ONCE_OF_ONE
from deployd.process import open_process, run
from tests.support.intake_stand import Stand, developer_environment, open_stand, refs_of

BIG_BYTES = 50_000_000
ADA = {"Authorization": aiohttp.encode_basic_auth("any", "secret-of-ada")}


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with open_stand(tmp_path, {"shop": {}}) as stand:
        yield stand


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:
        yield session


def _peak_kilobytes(reset: bool = False) -> int:
    """Largest size that this process has had since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


async def test_a_large_push_and_a_clone_of_it_need_no_memory_of_ours(stand: Stand) -> None:
    stand.logs.end()
    data = os.urandom(BIG_BYTES)
    await stand.commit({"big.bin": data})
    before = _peak_kilobytes(reset=True)
    await stand.developer("push", stand.repository(), "main")
    await stand.developer("clone", "--quiet", stand.repository(), "../clone")
    assert _peak_kilobytes() - before < 20_000
    assert (stand.folder / "clone" / "big.bin").read_bytes() == data


async def test_a_client_killed_in_the_upload_leaves_the_repository_as_it_was(stand: Stand) -> None:
    stand.logs.end()
    first = await stand.commit({"a": "1"})
    await stand.developer("push", stand.repository(), "main")
    await stand.commit({"big.bin": os.urandom(BIG_BYTES)})
    async with open_process(
        "git", "push", "--progress", stand.repository(), "main", cwd=stand.folder / "work",
        env=developer_environment(), with_stdin=False,
    ) as process:
        async with asyncio.timeout(30):
            while b"Writing objects" not in await process.stderr.read(1000):
                pass
        os.killpg(process.pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while await _running_gits(stand):
            await asyncio.sleep(0.1)
    assert await refs_of(stand.mirror()) == {"refs/heads/main": first}
    assert len(stand.queue.pushes) == 1
    stand.logs.end()
    await stand.developer("push", stand.repository(), "main")   # the next try goes through
    assert len(stand.queue.pushes) == 2


async def _running_gits(stand: Stand) -> bool:
    found = await run("pgrep", "-f", str(stand.folder / "repos"), check=False)
    return found.status == 0


async def test_a_fetch_of_many_branches_sends_a_compressed_request(stand: Stand, tmp_path: Path) -> None:
    for number in range(60):
        await stand.commit({"a": str(number)})
        await stand.developer("branch", f"feature-{number}")
    stand.logs.end()
    await stand.developer("push", "--quiet", "--push-option=no-wait", stand.repository(), "--all")
    for version in ("0", "2"):
        where = tmp_path / f"clone-{version}"
        cloned = await run(
            "git", "-c", f"protocol.version={version}", "clone", "--quiet", stand.repository(), str(where),
            env={**developer_environment(), "GIT_TRACE_CURL": "1"},
        )
        assert b"Content-Encoding: gzip" in cloned.stderr
        assert len((where / ".git" / "packed-refs").read_text().splitlines()) > 60


async def test_a_shallow_and_a_partial_clone_work(stand: Stand) -> None:
    for number in range(3):
        await stand.commit({"a": str(number)})
    await stand.developer("push", "--quiet", "--push-option=no-wait", stand.repository(), "main")
    await stand.developer("clone", "--quiet", "--depth=1", stand.repository(), "../shallow")
    await stand.developer("clone", "--quiet", "--filter=blob:none", stand.repository(), "../partial")
    counted = await run("git", "rev-list", "--count", "HEAD", cwd=stand.folder / "shallow", env=developer_environment())
    assert counted.text == "1"
    assert (stand.folder / "partial" / "a").read_text() == "2"


async def test_a_clone_stands_on_the_default_branch(tmp_path: Path) -> None:
    async with open_stand(tmp_path, {"shop": {"default_branch": "master"}}) as stand:
        await stand.commit({"a": "1"})
        await stand.developer("push", "--quiet", "--push-option=no-wait", stand.repository(), "main:master")
        await stand.developer("clone", stand.repository(), "../clone")
        assert (stand.folder / "clone" / "a").read_text() == "1"


async def test_a_compressed_body_that_unpacks_to_very_much_is_no_harm(
    stand: Stand, client: aiohttp.ClientSession,
) -> None:
    bomb = gzip.compress(b"0" * 300_000_000, 9)
    before = _peak_kilobytes(reset=True)
    async with client.post(f"{stand.url}/git/shop.git/git-upload-pack", data=bomb, headers={
        **ADA, "Content-Encoding": "gzip", "Content-Type": "application/x-git-upload-pack-request",
    }) as answer:
        await answer.read()
    assert _peak_kilobytes() - before < 40_000


@pytest.mark.parametrize("path", ["/git/shop.git/info/refs", "/git/shop.git/info/refs?service=git-shell"])
async def test_only_the_smart_protocol_is_spoken(stand: Stand, client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(stand.url + path, headers=ADA) as answer:
        assert answer.status == 403
        assert "smart protocol" in await answer.text()


@pytest.mark.parametrize("authorization", [
    "", "Basic", "Basic !!!", "Basic YW55", "Basic /////w==", "Bearer", "Bearer wrong", "Bearer \udcff\udcfe",
    "Digest x",
])
async def test_whatever_is_no_token_gets_401(
    stand: Stand, client: aiohttp.ClientSession, authorization: str,
) -> None:
    async with client.get(
        f"{stand.url}/git/shop.git/info/refs?service=git-upload-pack", headers={"Authorization": authorization},
    ) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


async def test_a_token_may_come_as_bearer(stand: Stand, client: aiohttp.ClientSession) -> None:
    async with client.get(
        f"{stand.url}/git/shop.git/info/refs?service=git-upload-pack",
        headers={"Authorization": "Bearer secret-of-eve", "Git-Protocol": "version=2:extra"},
    ) as answer:
        assert answer.status == 200
        assert (await answer.read()).startswith(b"000eversion 2\n")


async def test_projects_that_are_not_there_look_like_those_one_may_not_see(
    stand: Stand, client: aiohttp.ClientSession,
) -> None:
    async with client.get(
        f"{stand.url}/git/no-such.git/info/refs?service=git-upload-pack", headers=ADA,
    ) as answer:
        assert answer.status == 404
    async with client.get(f"{stand.url}/git/no-such.git/info/refs?service=git-upload-pack") as answer:
        assert answer.status == 401


async def test_who_does_not_read_what_he_asks_for_has_few_processes_and_others_are_answered(stand: Stand) -> None:
    """Each request for the branches was a process that waited for its reader for ever: 300 of them, and nobody was
    answered for a quarter of a minute."""
    stand.logs.end()
    commit = await stand.commit({"a": "1"})
    await stand.developer("push", stand.repository(), "main")
    mirror = stand.folder / "repos" / "shop.git"
    tags = "".join(f"create refs/tags/{number}-{'n' * 200} {commit}\n" for number in range(20_000))
    await run("git", f"--git-dir={mirror}", "update-ref", "--stdin", stdin=tags.encode())
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            mute = stack.enter_context(socket.create_connection(("127.0.0.1", stand.port)))
            mute.sendall(
                b"GET /git/shop.git/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: a\r\n"
                b"Authorization: " + ADA["Authorization"].encode() + b"\r\n\r\n",
            )
        seen = 0
        for _ in range(20):
            await asyncio.sleep(0.1)
            seen = max(seen, len(_processes_of(mirror)))
        assert 0 < seen <= AT_ONCE_OF_ONE
        other = {"Authorization": aiohttp.encode_basic_auth("any", "secret-of-eve")}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session, session.get(
            f"http://127.0.0.1:{stand.port}/git/shop.git/info/refs?service=git-upload-pack", headers=other,
        ) as answer:
            assert (answer.status, len(await answer.read()) > 4_000_000) == (200, True)


def _processes_of(repository: Path) -> list[str]:
    """Those of git that serve it now."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(repository).encode() in (entry / "cmdline").read_bytes():
                found.append(entry.name)
    return found


async def test_a_client_of_git_lfs_is_told_why_and_what_to_do(stand: Stand, client: aiohttp.ClientSession) -> None:
    url = stand.repository().replace("any:secret-of-ada@", "") + "/info/lfs/objects/batch"
    async with client.post(url, json={"operation": "upload"}) as answer:
        assert answer.status == 401
    async with client.post(url, json={"operation": "upload"}, headers=ADA) as answer:
        assert (answer.status, answer.content_type) == (501, "application/vnd.git-lfs+json")
        assert (await answer.json(content_type=None))["message"].startswith("deployd keeps no files of Git LFS.")
