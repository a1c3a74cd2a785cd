"""Webhooks over real HTTP, sent exactly as GitHub and GitLab send them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from deployd.errors import DeployError
from tests.support.forge_deliveries import SIGNING_TOKEN, ZERO, Delivery, github, github_push, gitlab, gitlab_push
from tests.support.intake_stand import Stand, open_stand


def _remote(url: str, forge: str, *secrets: str) -> dict[str, Any]:
    return {"remote": {"url": url, "forge": forge, "webhook_secrets": list(secrets)}}


PROJECTS = {
    "shop": _remote("https://github.com/acme/shop.git", "github", "n3w", "s3cret"),
    "lab": _remote("https://gitlab.com/acme/shop.git", "gitlab", "s3cret", SIGNING_TOKEN),
    "open": _remote("https://github.com/acme/shop.git", "github"),
    "empty": _remote("https://github.com/acme/shop.git", "github", ""),
    "here": {},
}


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with open_stand(tmp_path, PROJECTS) as stand:
        yield stand


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:
        yield session


class Sender:
    def __init__(self, stand: Stand, client: aiohttp.ClientSession) -> None:
        self._stand = stand
        self._client = client

    async def __call__(self, delivery: Delivery, path: str = "github/shop") -> tuple[int, dict[str, Any]]:
        async with self._client.post(
            f"{self._stand.url}/hooks/{path}", data=io.BytesIO(delivery.body), headers=delivery.headers,
        ) as answer:
            return answer.status, await answer.json()


@pytest.fixture
def send(stand: Stand, client: aiohttp.ClientSession) -> Sender:
    return Sender(stand, client)


async def test_a_push_is_queued_and_answered_202(stand: Stand, send: Sender) -> None:
    status, body = await send(github(github_push()))
    assert status == 202
    assert body == {"result": "taken", "reason": "activity 1: main", "activity": 1,
                    "status_url": "/api/v1/activities/1"}
    assert stand.queue.pushes[0].how == "github"


async def test_the_body_is_verified_as_it_was_sent_and_not_as_it_was_parsed(stand: Stand, send: Sender) -> None:
    payload = github_push()
    spaced = json.dumps(payload, indent=3).encode()
    delivery = github(payload)
    assert (await send(Delivery(delivery.headers, spaced)))[0] == 401
    assert stand.queue.pushes == []


async def test_a_redelivery_gets_the_first_answer_and_starts_nothing(stand: Stand, send: Sender) -> None:
    first = await send(github(github_push()))
    status, body = await send(github(github_push()))
    assert status == 200
    assert (body["result"], body["activity"], body["reason"]) == ("known", first[1]["activity"], first[1]["reason"])
    assert "deployd redeploy" in body["hint"]
    assert len(stand.queue.pushes) == 1


async def test_gitlab_repeats_by_its_idempotency_key(stand: Stand, send: Sender) -> None:
    assert (await send(gitlab(gitlab_push()), "gitlab/lab"))[0] == 202
    assert (await send(gitlab(gitlab_push()), "gitlab/lab"))[0] == 200
    assert (await send(gitlab(gitlab_push(), delivery="another"), "gitlab/lab"))[0] == 202
    assert len(stand.queue.pushes) == 2


async def test_old_and_new_secret_hold_during_a_change(send: Sender) -> None:
    assert (await send(github(github_push(), secret="s3cret", delivery="1")))[0] == 202
    assert (await send(github(github_push(), secret="n3w", delivery="2")))[0] == 202
    signed = gitlab(gitlab_push(), token=None, signing=SIGNING_TOKEN, now=datetime.now(UTC), delivery="3")
    assert (await send(signed, "gitlab/lab"))[0] == 202


async def test_an_old_signature_of_gitlab_is_refused(send: Sender) -> None:
    old = gitlab(gitlab_push(), token=None, signing=SIGNING_TOKEN, now=datetime(2020, 1, 1, tzinfo=UTC))
    assert (await send(old, "gitlab/lab"))[0] == 401


@pytest.mark.parametrize(("delivery", "path"), [
    (github(github_push(), secret="guess"), "github/shop"),
    (github(github_push()).with_headers(X_Hub_Signature_256=None), "github/shop"),
    (github(github_push(), secret=""), "github/open"),
    (github(github_push(), secret=""), "github/empty"),
    (github(github_push()), "github/here"),
    (github(github_push()), "github/no-such-project"),
    (github(github_push()), "github/lab"),
    (gitlab(gitlab_push(), token="guess"), "gitlab/lab"),
    (gitlab(gitlab_push(), token=None), "gitlab/lab"),
    (gitlab(gitlab_push()), "gitlab/shop"),
    (gitlab(gitlab_push()), "gitlab/no-such-project"),
])
async def test_without_proof_all_answers_are_the_same_401(
    stand: Stand, send: Sender, delivery: Delivery, path: str,
) -> None:
    with structlog.testing.capture_logs() as logged:
        status, body = await send(delivery, path)
    assert status == 401
    assert body == {"result": "refused",
                    "reason": "the secret of this hook and the one of the project are not the same"}
    assert stand.queue.pushes == []
    (event,) = logged
    assert (event["event"], event["source"]) == ("webhook_refused", "127.0.0.1")
    assert not any(word in str(event) for word in ("s3cret", "guess", "sha256="))


async def test_a_deleted_branch_reaches_the_queue_as_one(stand: Stand, send: Sender) -> None:
    assert (await send(github(github_push(branch="feature", after=ZERO))))[0] == 202
    assert stand.queue.pushes[0].deleted


@pytest.mark.parametrize(("payload", "event"), [
    (github_push(ref="refs/tags/v1"), "push"),
    (github_push(branch="gh-readonly-queue/main/pr-1-abc"), "push"),
    (github_push(repository="acme/other"), "push"),
    ({"action": "opened"}, "pull_request"),
    ({"action": "whatever"}, "an_event_of_next_year"),
])
async def test_what_starts_nothing_is_answered_202_with_the_reason(
    stand: Stand, send: Sender, payload: dict[str, Any], event: str,
) -> None:
    status, body = await send(github(payload, event=event))
    assert (status, body["result"]) == (202, "ignored")
    assert body["reason"]
    assert stand.queue.pushes == []


async def test_a_ping_is_answered_200(send: Sender) -> None:
    assert await send(github({"zen": "Design for failure."}, event="ping")) == (
        200, {"result": "alive", "reason": "Design for failure."},
    )


async def test_a_genuine_delivery_without_a_branch_is_answered_400(send: Sender) -> None:
    status, body = await send(github({"zen": "?"}))
    assert (status, body["result"]) == (400, "unreadable")
    assert "repository.full_name" in body["reason"]


async def test_a_disk_that_is_full_is_answered_503(stand: Stand, send: Sender) -> None:
    stand.queue.broken = DeployError("cannot write state.db: disk full")
    assert (await send(github(github_push())))[0] == 503
    stand.queue.broken = None
    assert (await send(github(github_push())))[0] == 202   # the same delivery, sent again by hand


async def test_a_payload_of_25_megabytes_is_read(stand: Stand, send: Sender) -> None:
    payload = github_push() | {"commits": [{"message": "x" * 24_000_000}]}
    assert (await send(github(payload)))[0] == 202
    assert len(stand.queue.pushes) == 1


async def test_a_body_over_the_limit_is_refused_by_its_length_alone(stand: Stand) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
    writer.write(b"POST /hooks/github/shop HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=0\r\n"
                 b"Content-Length: 26000001\r\n\r\n")
    async with asyncio.timeout(5):
        assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_body_without_a_length_is_cut_at_the_limit(
    stand: Stand, client: aiohttp.ClientSession,
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 60_000_000:
            sent += 500_000
            yield b"x" * 500_000

    try:
        async with client.post(f"{stand.url}/hooks/github/shop", data=endless(),
                               headers={"X-Hub-Signature-256": "sha256=0"}) as answer:
            assert answer.status == 413
    except aiohttp.ClientConnectionError:
        pass   # the daemon has hung up on us while we were sending
    assert sent < 50_000_000


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    async with open_stand(tmp_path, PROJECTS, read_seconds=0.2) as stand:
        reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
        writer.write(b"POST /hooks/github/shop HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=0\r\n"
                     b"Content-Length: 100\r\n\r\n{")
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()
        writer.close()


async def test_an_unproved_sender_is_answered_before_the_body_is_read(stand: Stand) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
    writer.write(b"POST /hooks/github/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n")
    async with asyncio.timeout(5):
        assert b" 401 " in await reader.readline()
    writer.close()


async def test_a_get_is_not_a_post(stand: Stand, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{stand.url}/hooks/github/shop") as answer:
        assert answer.status == 405


async def test_two_hundred_deliveries_at_once_are_all_taken(stand: Stand, send: Sender) -> None:
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        sent = [group.create_task(send(github(github_push(branch=f"b{number}"), delivery=str(number))))
                for number in range(200)]
    assert {task.result()[0] for task in sent} == {202}
    assert len(stand.queue.pushes) == 200
    assert time.monotonic() - began < 10


async def test_large_bodies_that_nobody_has_signed_are_read_a_few_at_once(tmp_path: Path) -> None:
    """Sixty of them, sent slowly, took 1.6 GB."""
    async with open_stand(tmp_path, {"shop": {}}) as stand:
        before, opened = _kilobytes(), []
        try:
            for _ in range(40):
                _, writer = await asyncio.open_connection("127.0.0.1", stand.port)
                opened.append(writer)
                writer.write(
                    b"POST /hooks/github/shop HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\nX-GitHub-Event: push\r\n"
                    b"Content-Length: 20000000\r\n\r\n" + b"a" * 100,
                )
            for _ in range(19):
                for writer in opened:
                    with contextlib.suppress(TimeoutError, ConnectionError):
                        async with asyncio.timeout(0.05):
                            await writer.drain()
                            writer.write(b"a" * 1_000_000)
                if _kilobytes() - before > 600_000:
                    break
            sent = _kilobytes() - before
        finally:
            for writer in opened:
                writer.close()
    assert sent < 600_000   # what this test itself could not send is in it


def _kilobytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
