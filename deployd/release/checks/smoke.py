"""One smoke test, asked once: a request to the environment's own routes, or a command in an application's container.

A request goes straight to the container that its route leads to, as its visitors' requests do and without their
passwords: it stands in no access log, reaches nothing but the environment, and follows no redirect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from deployd.activity.plain_text import plain_text
from deployd.engine.errors import EngineOverran, NotRunning, NotThere
from deployd.engine.specs import RunAs
from deployd.environment.platform import APP_FOLDER
from deployd.project.model import SmokeTest
from deployd.release.answers.page_text import first_lines
from deployd.release.answers.probe import GATEWAY_ERRORS
from deployd.release.answers.visit import HEADERS, authority_of, port_of
from deployd.release.answers.visit_words import Visit
from deployd.release.applications.start_script import hook_script
from deployd.release.checks.matching import is_found
from deployd.release.configuration import read_config
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.routes import route_set
from deployd.router.table import Route, RouteSet
from deployd.settings import RouterSettings

MOST_BYTES = 262_144
"""Of a body, or of what a command prints."""
LINES, LONGEST_LINE, LONGEST_PATH = 4, 160, 200
ENDLESS_SECONDS = 5.0
"""A body that goes on for longer is judged by what there is of it."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back of a smoke test."""

    test: SmokeTest
    why: str = ""
    """What is wrong with it: `GET https://… answers 500 Internal Server Error`; empty: it is as it should be."""
    lines: tuple[str, ...] = ()
    """Of what came back, as a person would read them."""
    may_come: bool = False
    """There was no answer: an application that starts may give one later."""

    @property
    def is_well(self) -> bool:
        return not self.why


async def ask_all(tests: Sequence[SmokeTest], release: Release, host: Host) -> list[Answered]:
    """What each gives, in their order. Raises as `ask`; also when the routes cannot be found out."""
    if not tests:
        return []
    routes, turns = await route_set(release, host), asyncio.Semaphore(1)
    return await in_parallel(ask(test, release, host, routes, turns) for test in tests)


async def ask(
    test: SmokeTest, release: Release, host: Host, routes: RouteSet, turns: asyncio.Semaphore | None = None,
) -> Answered:
    """
    Args:
        routes: Of the release, with the addresses that its containers have now.
        turns: Expressions are looked for one after the other: a project may have many that take their time.

    Raises:
        DeployError: The engine does not answer; nothing is known then.
    """
    turns = turns or asyncio.Semaphore(1)
    if test.command:
        return await _run(test, release, host, turns)
    return await _request(test, routes, host.settings.router, turns)


def route_of(test: SmokeTest, routes: Sequence[Route]) -> Route | None:
    """The route by which visitors would reach what is asked for; None: there is none with a container. Pure."""
    own = [route for route in routes if route.type == "upstream" and route.targets and route.targets[0].token]
    wanted = test.host.lower()
    hosts = {route.host for route in own if wanted in (route.host, _written_host(route))} if wanted else {
        route.host for route in own[:1]
    }
    path = test.path.partition("?")[0]
    fitting = [route for route in own if route.host in hosts and path.startswith(route.path)]
    return max(fitting, key=lambda route: (len(route.path), route.scheme == "https"), default=None)


def _written_host(route: Route) -> str:
    """As the project's files have it: `www.{default}`."""
    try:
        return (urlsplit(route.original_url).netloc or "").lower()
    except ValueError:
        return ""


async def _request(
    test: SmokeTest, routes: RouteSet, settings: RouterSettings, turns: asyncio.Semaphore,
) -> Answered:
    route = route_of(test, routes.routes)
    if route is None:
        return Answered(test, f"{test.path[:LONGEST_PATH]} leads to no application of this environment"
                              + (f" on {plain_text(test.host)}" if test.host else ""))
    what = f"{test.method} {route.scheme}://{authority_of(route, settings)}{test.path[:LONGEST_PATH]}"
    try:
        # The session ends with the answer: a body that is not read to its end is not waited for.
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=test.timeout_seconds), auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session, session.request(
            test.method, _address(route, test), headers=_headers(test, route, settings),
            data=test.body.encode() or None, allow_redirects=False,
        ) as answer:
            body = await _body(answer.content)
    except TimeoutError:
        return Answered(test, f"{what} gives no answer within {test.timeout_seconds} s", may_come=True)
    except (aiohttp.ClientError, ValueError, OSError) as error:
        return Answered(test, f"{what} gives no answer ({type(error).__name__})", may_come=True)
    lines = first_lines(body, answer.headers.get("Content-Type", ""))
    if not _is_wanted(answer.status, test.status):
        return Answered(test, f"{what} answers {Visit(what, answer.status).answer}", lines,
                        may_come=answer.status in GATEWAY_ERRORS)
    for name, wanted in test.answer_headers.items():
        if wanted.lower() not in ", ".join(answer.headers.getall(name, [])).lower():
            return Answered(test, f"{what} answers without {wanted!r} in its header {name}", lines)
    missing = await _missing(test, body, turns)
    return Answered(test, f"{what} answers {answer.status}, and {missing}", lines) if missing else Answered(test)


def _address(route: Route, test: SmokeTest) -> str:
    target = route.targets[0]
    host = f"[{target.address}]" if ":" in target.address else target.address
    return f"http://{host}:{target.port}{test.path}"   # a path begins with one slash: it never names another host


def _headers(test: SmokeTest, route: Route, settings: RouterSettings) -> dict[str, str]:
    authority = authority_of(route, settings)
    return {
        **HEADERS, "User-Agent": "deployd smoke test", **test.headers, "Host": authority,
        "X-Forwarded-Proto": route.scheme, "X-Forwarded-Host": authority,
        "X-Forwarded-Port": str(port_of(route, settings)), "X-Original-Route": route.original_url,
    }


async def _body(content: aiohttp.StreamReader) -> bytes:
    found = b""
    try:
        async with asyncio.timeout(ENDLESS_SECONDS):
            while len(found) < MOST_BYTES and (chunk := await content.read(MOST_BYTES - len(found))):
                found += chunk
    except TimeoutError:
        pass
    return found


def _is_wanted(status: int, wanted: Sequence[int]) -> bool:
    return status in wanted if wanted else 200 <= status < 400


async def _missing(test: SmokeTest, body: bytes, turns: asyncio.Semaphore) -> str:
    """What of the text that is wanted is not there; empty when all is."""
    text = body.decode(errors="replace")
    if test.contains and test.contains not in text:
        return f"{test.contains[:LONGEST_LINE]!r} does not stand in it"
    if test.matches:
        async with turns:
            found = await is_found(test.matches, text)
        if found is None:
            return f"{test.matches[:LONGEST_LINE]!r} could not be looked for: it took more than a second"
        if not found:
            return f"{test.matches[:LONGEST_LINE]!r} is not found in it"
    return ""


async def _run(test: SmokeTest, release: Release, host: Host, turns: asyncio.Semaphore) -> Answered:
    config = await read_config(release, host)
    app = config.application(test.app) if test.app else config.applications[0]
    if app is None:
        return Answered(test, f"there is no application {plain_text(test.app)}")
    what = f"the command of the smoke test {test.name}"
    try:
        result = await host.engine.execute(
            release.container("app", app.name), ["/bin/sh", "-c", hook_script(test.command)],
            RunAs(release.user, working_folder=APP_FOLDER), limit_seconds=test.timeout_seconds,
        )
    except EngineOverran:
        return Answered(test, f"{what} was still running after {test.timeout_seconds} s and was ended")
    except (NotThere, NotRunning):
        return Answered(test, f"{what} cannot be run: the container of {app.name} does not run")
    printed = (result.stdout + b"\n" + result.stderr)[-MOST_BYTES:]
    lines = _last_lines(printed)
    if result.status not in (test.status or (0,)):
        return Answered(test, f"{what} ended with status {result.status}", lines)
    missing = await _missing(test, result.stdout[-MOST_BYTES:], turns)
    return Answered(test, f"{what} ended with status {result.status}, and {missing}", lines) if missing else (
        Answered(test)
    )


def _last_lines(printed: bytes) -> tuple[str, ...]:
    lines = [plain_text(line).strip() for line in printed.decode(errors="replace").splitlines()]
    return tuple(line[:LONGEST_LINE] for line in lines if line)[-LINES:]
