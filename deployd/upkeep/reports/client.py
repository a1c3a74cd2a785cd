"""Requests to the API of a forge: bounded, never led elsewhere, and each answer is one of a few."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import aiohttp

from deployd.errors import DeployError
from deployd.forges.telling import Api, ApiCall
from deployd.settings.project import Reports

LIMIT = aiohttp.ClientTimeout(total=15.0, connect=5.0)
LARGEST_ANSWER_BYTES = 1_000_000
SHOWN = 300
"""Characters of an answer that are shown."""
FORBIDDEN, TOO_MANY = 403, 429
UNAUTHORIZED, NOT_FOUND = 401, 404
LONGEST_PAUSE_SECONDS = 3600.0
WITHOUT_A_WORD_SECONDS = 60.0
"""GitHub, "Best practices for using the REST API": wait a minute when no header says how long."""


class ForgeSilent(DeployError):
    """A forge did not answer, or could not."""

    code: ClassVar[str] = "forge-silent"


class ForgeRefuses(DeployError):
    """The token of the settings may not do what was asked for; it can be mended there."""

    code: ClassVar[str] = "forge-refuses"


class ForgeBusy(DeployError):
    """Too many requests; it says when to come again."""

    code: ClassVar[str] = "forge-busy"
    seconds: float = WITHOUT_A_WORD_SECONDS


class NotTaken(DeployError):
    """The forge understood, and will never take it."""

    code: ClassVar[str] = "forge-does-not-take"


@dataclass(frozen=True, slots=True)
class ForgeClient:
    """One project's way to its forge."""

    session: aiohttp.ClientSession
    api: Api
    reports: Reports
    host: str
    """Of the remote."""

    async def send(self, call: ApiCall) -> int | None:
        """Do one request.

        Returns:
            The number of what was made, when the call keeps it.

        Raises:
            ForgeSilent, ForgeRefuses, ForgeBusy: Later, perhaps.
            NotTaken: Never.
        """
        url = f"{(self.reports.api or self.api.address(self.host)).rstrip('/')}{call.path}"
        headers = self.api.headers(self.reports.token.get_secret_value())
        try:
            async with self.session.request(
                call.method, url, json=dict(call.body), headers=headers, timeout=LIMIT, allow_redirects=False,
            ) as answer:
                text = (await _body(answer)).decode("utf-8", "replace")
                return _understood(call, answer.status, answer.headers, text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ForgeSilent(
                f"{self.host or url} does not answer: {str(error) or type(error).__name__}",
                hint="deployd asks again; see whether this host reaches it",
            ) from None


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """All of it, as far as it is kept: it comes in pieces."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) >= LARGEST_ANSWER_BYTES:
            break
    return bytes(body[:LARGEST_ANSWER_BYTES])


def _understood(call: ApiCall, status: int, headers: Mapping[str, str], text: str) -> int | None:
    said = f"{call.method} {call.path} was answered {status}"
    evidence = (" ".join(text.split())[:SHOWN],) if text.strip() else ()
    if call.is_done(status, text):
        return None
    if 200 <= status < 300:
        return _number(call, text)
    if status == TOO_MANY or (status == FORBIDDEN and _limits(headers, text)):
        busy = ForgeBusy(f"the forge bounds how often it is asked: {said}", evidence=evidence)
        busy.seconds = _pause_seconds(headers)
        raise busy
    if status in (UNAUTHORIZED, FORBIDDEN, NOT_FOUND):
        raise ForgeRefuses(said, evidence=evidence, hint="see what the token in remote.reports may do: it needs to "
                           "write commit statuses and deployments of this repository")
    if status >= 500 or 300 <= status < 400:
        raise ForgeSilent(said, evidence=evidence, hint="deployd asks again")
    raise NotTaken(said, evidence=evidence)


def _number(call: ApiCall, text: str) -> int | None:
    if not call.keeps:
        return None
    try:
        number = json.loads(text)["id"]
    except (ValueError, KeyError, TypeError):
        number = None
    if not isinstance(number, int):
        raise ForgeSilent(f"{call.method} {call.path} was answered without the number of what was made")
    return number


def _limits(headers: Mapping[str, str], text: str) -> bool:
    return "Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0" or "rate limit" in text.lower()


def _pause_seconds(headers: Mapping[str, str]) -> float:
    after, reset = headers.get("Retry-After", ""), headers.get("X-RateLimit-Reset", "")
    if after.isascii() and after.isdigit():
        seconds = float(after[:9])
    elif headers.get("X-RateLimit-Remaining") == "0" and reset.isascii() and reset.isdigit():
        seconds = float(reset[:12]) - time.time()
    else:
        seconds = WITHOUT_A_WORD_SECONDS
    return min(max(seconds, 1.0), LONGEST_PAUSE_SECONDS)
