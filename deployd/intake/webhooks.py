"""Webhooks: read with a limit, proved, parsed, durable, answered. Nothing is asked of a forge or of git meanwhile.

    Content-Length over the limit ─► 413      proof missing or wrong, project unknown ─► 401
    ping, known delivery ─► 200               push taken, or nothing to do (with the reason) ─► 202
    genuine but unreadable ─► 400             the database cannot be written ─► 503

A project that does not exist is answered like a wrong secret, after the same work: nobody learns the names of projects.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from deployd.access.concurrency import RequestQueue
from deployd.clock import Clock, SystemClock
from deployd.errors import DeployError
from deployd.forges.forge import Forge, Ignored, Ping, Unreadable
from deployd.forges.known import FORGES
from deployd.http.failed_sign_ins import FailedSignIns, source_of
from deployd.ids import ProjectId
from deployd.intake.deliveries import Delivered, read_delivery
from deployd.intake.ports import Intake
from deployd.intake.push import Push, Receipt
from deployd.settings import ProjectSettings

log = structlog.get_logger()

LARGEST_BODY_BYTES = 26_000_000   # GitHub delivers nothing over 25 MB: webhook docs
READ_SECONDS = 9.0                # forges give up after 10: webhook docs
LARGE_BYTES = 200_000             # from here on hashing and parsing would hold up the loop for milliseconds
CHUNK_BYTES = 65_536
LARGE_AT_ONCE, LARGE_AT_ONCE_OF_ONE = 8, 2
"""Large bodies that are read at the same time, of all addresses and of one: nobody has proved anything yet."""


def webhook_routes(
    intake: Intake, clock: Clock | None = None, *, read_seconds: float = READ_SECONDS,
    failed_sign_ins: FailedSignIns | None = None,
) -> list[web.RouteDef]:
    """Routes of the public application: POST /hooks/<forge>/<project>, for each forge that is known."""
    door = _Door(intake, clock or SystemClock(), read_seconds, failed_sign_ins or FailedSignIns())
    return [web.post(f"/hooks/{name}/{{project}}", partial(door.take, forge)) for name, forge in FORGES.items()]


class _Door:
    """Takes deliveries of all forges."""

    def __init__(self, intake: Intake, clock: Clock, read_seconds: float, failed: FailedSignIns) -> None:
        self._intake = intake
        self._clock = clock
        self._read_seconds = read_seconds
        self._failed = failed
        self._large_bodies = RequestQueue(LARGE_AT_ONCE, LARGE_AT_ONCE_OF_ONE)
        self._nobody = secrets.token_hex(32)   # stands in for the secret of projects that are not there

    async def take(self, forge: Forge, request: web.Request) -> web.StreamResponse:
        project = _project(self._intake, forge.name, request)
        keys = _secrets(project) or (self._nobody,)
        if not forge.has_proof(request.headers):
            return _unproved(forge.name, request, "no signature or token was sent", self._failed)
        most = LARGE_BYTES if _has_to_wait(self._failed, request) else LARGEST_BODY_BYTES
        body = await _read(request, self._read_seconds, most, self._large_bodies)
        now = self._clock.now()

        def look() -> Delivered | None:
            if not forge.is_genuine(keys, request.headers, body, now) or project is None:
                return None
            return read_delivery(project, forge, request.headers, body)

        delivered = await asyncio.to_thread(look) if len(body) > LARGE_BYTES else look()
        if delivered is None or project is None:
            reason = "wrong signature or token" if project else "no such project, or no secret for this forge"
            return _unproved(forge.name, request, reason, self._failed)
        if isinstance(delivered, Push):
            delivered = replace(delivered, address=_address(request))
        return await _answer(self._intake, forge.name, project, delivered)


def _project(intake: Intake, forge: str, request: web.Request) -> ProjectSettings | None:
    """The project, when it has a remote at this forge and a secret for it."""
    project = intake.projects.get(ProjectId(request.match_info["project"]))
    if project is None or project.remote is None or project.remote.forge not in (None, forge):
        return None
    return project if _secrets(project) else None


def _secrets(project: ProjectSettings | None) -> tuple[str, ...]:
    if project is None or project.remote is None:
        return ()
    return tuple(secret.get_secret_value() for secret in project.remote.webhook_secrets if secret.get_secret_value())


def _source(request: web.Request) -> str:
    return f"webhook of {_address(request)}"


def _address(request: web.Request) -> str:
    return source_of(request.remote, request.headers.get("X-Forwarded-For", ""))


def _has_to_wait(failed: FailedSignIns, request: web.Request) -> bool:
    """Whether many wrong signatures came from there. What is small is looked at nevertheless: everybody can make a
    forge send wrong ones, and the right ones come from the same addresses."""
    return not failed.is_empty and failed.pause_seconds(_source(request)) > 0


async def _read(request: web.Request, limit_seconds: float, most_bytes: int, large_bodies: RequestQueue) -> bytes:
    """The raw body. A large one waits for its turn, its rest unread.

    Raises:
        HTTPRequestEntityTooLarge: It is larger than any forge sends; seen by its length before it is read.
        HTTPRequestTimeout: It did not come in time.
    """
    length = request.content_length or 0
    if length > most_bytes:
        raise web.HTTPRequestEntityTooLarge(most_bytes, length)
    body = bytearray()
    try:
        async with asyncio.timeout(limit_seconds), AsyncExitStack() as turn:
            is_large = False
            async for chunk in request.content.iter_chunked(CHUNK_BYTES):
                body += chunk
                if len(body) > most_bytes:
                    raise web.HTTPRequestEntityTooLarge(most_bytes, len(body))
                if len(body) > LARGE_BYTES and not is_large:
                    is_large = True
                    await turn.enter_async_context(large_bodies.take(_source(request)))
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body did not come within {limit_seconds:g} s\n") from None
    return bytes(body)


def _unproved(forge: str, request: web.Request, reason: str, failed: FailedSignIns) -> web.Response:
    if failed.failed(_source(request)):
        log.warning(
            "webhook_refused", forge=forge, project=request.match_info["project"][:100], source=request.remote,
            forwarded=request.headers.get("X-Forwarded-For", "")[:200], reason=reason,
        )
    body = {"result": "refused", "reason": "the secret of this hook and the one of the project are not the same"}
    return web.json_response(body, status=401)


async def _answer(intake: Intake, forge: str, project: ProjectSettings, delivered: Delivered) -> web.Response:
    about: dict[str, Any] = {"forge": forge, "project": project.id}
    match delivered:
        case Ping(text):
            log.info("webhook_ping", **about)
            return web.json_response({"result": "alive", "reason": text})
        case Ignored(reason):
            log.info("webhook_ignored", **about, reason=reason)
            return web.json_response({"result": "ignored", "reason": reason}, status=202)
        case Unreadable(lacks):
            log.warning("webhook_unreadable", **about, lacks=lacks)
            return web.json_response({"result": "unreadable", "reason": lacks}, status=400)
        case Push():
            return await _push(intake, about, delivered)


async def _push(intake: Intake, about: dict[str, Any], push: Push) -> web.Response:
    try:
        receipt = await intake.queue.push(push)
    except DeployError as error:   # the disk: the one case in which sending it again by hand is right
        log.error("webhook_not_kept", **about, branch=push.branch, delivery=push.delivery, error=error.what)
        return web.json_response({"result": "not kept", "reason": "deployd cannot write its database"}, status=503)
    result = "known" if receipt.again else "taken" if receipt.activity is not None else "ignored"
    log.info("webhook_taken", **about, branch=push.branch, delivery=push.delivery, result=result,
             activity=receipt.activity)
    return web.json_response(_receipt(receipt, result), status=200 if receipt.again else 202)


def _receipt(receipt: Receipt, result: str) -> dict[str, Any]:
    body: dict[str, Any] = {"result": result, "reason": receipt.said}
    if receipt.again:
        body["hint"] = "this delivery was here before and starts nothing again; use `deployd redeploy` to deploy again"
    if receipt.activity is not None:
        body |= {"activity": receipt.activity, "status_url": f"/api/v1/activities/{receipt.activity}"}
    return body
