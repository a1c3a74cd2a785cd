"""Pages of other sites, guesses of tokens, and clients that say nothing: tried on the port of a running daemon."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from scripts.local_daemon import LocalDaemon
from tests.support.developer import Developer, MakeDeveloper

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "http://evil.example"
REDEPLOY = "/api/v1/projects/doors/environments/main/redeploy"
CHANGES = (
    REDEPLOY, "/api/v1/projects/doors/environments/main/rollback", "/api/v1/projects/doors/environments/main/pass",
    "/api/v1/collect", "/api/v1/projects/doors/plan", "/git/doors.git/git-receive-pack", "/hooks/github/doors",
)
SLOW = 2_000
NUMBERS = count(1)


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(daemon: LocalDaemon) -> AsyncIterator[aiohttp.ClientSession]:
    """A client at an address of its own, as a proxy on this host tells it: what it does wrong hurts no other test."""
    number = next(NUMBERS)
    headers = {"X-Forwarded-For": f"198.51.{number // 250}.{number % 250 + 1}"}
    async with aiohttp.ClientSession(daemon.api, headers=headers) as session:
        yield session


def basic(token: str) -> str:
    return f"Basic {base64.b64encode(f'x:{token}'.encode()).decode()}"


async def activities(daemon: LocalDaemon) -> list[int]:
    async with daemon.session() as api, api.get("/api/v1/activities?project=doors") as answer:
        return [item["id"] for item in (await answer.json())["items"]]


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("headers", [
    {"Origin": EVIL}, {"Origin": "null"}, {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "cross-site"}, {"Referer": f"{EVIL}/"}, {"Host": "evil.example", "Origin": EVIL},
    {"Host": "evil.example", "Referer": f"{EVIL}/"},
], ids=str)
async def test_a_page_of_another_site_changes_nothing(
    daemon: LocalDaemon, stranger: aiohttp.ClientSession, path: str, headers: dict[str, str],
) -> None:
    before = await activities(daemon)
    sent = {"Authorization": basic(daemon.token), "Content-Type": "text/plain", **headers}
    async with stranger.post(path, headers=sent, data=b"{}") as answer:
        assert answer.status in (403, 421)
    assert await activities(daemon) == before


@pytest.mark.parametrize("path", CHANGES[:5])
async def test_a_remembered_password_changes_nothing_without_any_header_of_a_browser(
    daemon: LocalDaemon, stranger: aiohttp.ClientSession, path: str,
) -> None:
    before = await activities(daemon)
    async with stranger.post(path, headers={"Authorization": basic(daemon.token)}, data=b"{}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "forbidden")
    assert await activities(daemon) == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("service", ["git-receive-pack", "git-upload-pack"])
async def test_no_form_of_a_page_speaks_git(
    daemon: LocalDaemon, stranger: aiohttp.ClientSession, service: str, kind: str,
) -> None:
    headers = {"Authorization": basic(daemon.token), "Content-Type": kind}
    async with stranger.post(f"/git/doors.git/{service}", headers=headers, data=b"0000") as answer:
        assert answer.status == 415


async def test_a_program_still_does_all_that(daemon: LocalDaemon, developer: MakeDeveloper) -> None:
    me: Developer = await developer("doors")
    await me.push()
    async with daemon.session() as api:
        for more in ({}, {"Host": "server:8480"}, {"Origin": daemon.api}):
            async with api.post(REDEPLOY, headers=more) as answer:
                assert answer.status == 202
    async with aiohttp.ClientSession(daemon.api, headers={"Authorization": basic(daemon.token)}) as browser:
        for path in ("/", "/api/v1/projects"):
            async with browser.get(path) as answer:
                assert answer.status == 200


@pytest.mark.parametrize("path", [
    "/api/v1/projects", "/", "/git/doors.git/info/refs?service=git-receive-pack", "/none",
])
@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
async def test_guesses_become_slow_at_every_door_and_only_for_who_guesses(
    daemon: LocalDaemon, stranger: aiohttp.ClientSession, path: str, scheme: str,
) -> None:
    def header(token: str) -> dict[str, str]:
        return {"Authorization": basic(token) if scheme == "Basic" else f"Bearer {token}"}

    logged = len(daemon.log_file.read_text())
    seen = []
    for number in range(40):
        async with stranger.get(path, headers=header(f"guess-{number}")) as answer:
            seen.append(answer.status)
    assert set(seen[-25:]) == {429}
    async with stranger.get(path, headers=header(daemon.token)) as answer:
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) >= 1
    assert await activities(daemon) is not None, "the right token from another address"
    said = daemon.log_file.read_text()[logged:]
    assert said.count("sign_ins_held_back") == 1
    assert said.count("sign_in_failed") <= 10
    assert "guess-" not in said
    async with daemon.session() as api, api.get("/metrics") as answer:
        metrics = await answer.text()
    assert "deployd_held_back_addresses 0.0" not in metrics
    assert "deployd_refused_sign_ins_total" in metrics


async def test_wrong_signatures_are_told_a_few_times_and_large_ones_not_read(
    daemon: LocalDaemon, stranger: aiohttp.ClientSession,
) -> None:
    logged = len(daemon.log_file.read_text())
    headers = {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-GitHub-Event": "push", "X-GitHub-Delivery": "d"}
    for _ in range(60):
        async with stranger.post("/hooks/github/doors", headers=headers, data=b"{}") as answer:
            assert answer.status == 401
    async with stranger.post("/hooks/github/doors", headers=headers, data=b" " * 1_000_000) as answer:
        assert answer.status == 413
    assert daemon.log_file.read_text()[logged:].count("webhook_refused") <= 10


HOOK = (b"POST /hooks/github/doors HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\nX-GitHub-Event: push\r\n"
        b"X-Hub-Signature-256: sha256=00\r\n\r\n{")


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"POST / HTTP/1.1\r\n", HOOK],
                         ids=["nothing", "half a head", "a line", "half a body"])
async def test_two_thousand_slow_connections_keep_nobody_out(
    daemon: LocalDaemon, developer: MakeDeveloper, said: bytes,
) -> None:
    me: Developer = await developer("doors")
    async with AsyncExitStack() as stack:
        await _open_slow(stack, daemon, said)
        async with asyncio.timeout(60):
            async with aiohttp.ClientSession(daemon.api) as fresh:
                for path in ("/status", "/healthz", "/readyz"):
                    async with fresh.get(path) as answer:
                        assert answer.status == 200
            assert await activities(daemon) is not None
            pushed = await me.push()
            assert pushed.status == 0, pushed.lines[-5:]
        assert len(list(Path(f"/proc/{daemon.running()}/fd").iterdir())) < SLOW


async def _open_slow(stack: AsyncExitStack, daemon: LocalDaemon, said: bytes) -> None:
    slots = asyncio.Semaphore(100)

    async def one() -> None:
        async with slots:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", daemon.api_port)
            except OSError:
                return
            stack.callback(writer.close)
            writer.write(said)

    async with asyncio.TaskGroup() as group:
        for _ in range(SLOW):
            group.create_task(one())
