"""The router as the daemon sees it: one command for each change, over nginx's control socket.

Each command is carried out as a whole or not at all, and is visible to every worker of nginx when it is answered. Two
kinds of bad ends are kept apart, because the switch depends on it: `RouterRefused` (nothing was changed, for certain)
and `RouterUnanswered` (nobody knows; `look`, and do it again: every command may be repeated).

After one router has taken over from another, the earlier one may still hold requests. A change is told to both, and the
word of the one that serves counts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import structlog

from deployd.errors import DeployError
from deployd.router.control_answers import (
    is_outdated,
    parse_closed,
    parse_freeze,
    parse_released,
    parse_sleepers,
    parse_status,
    parse_version,
)
from deployd.router.paths import RouterPlaces
from deployd.router.render import RELEASED_AT_ONCE, render_route_set
from deployd.router.table import Freeze, Released, RouterStatus, RouteSet, Sleepers

log = structlog.get_logger()

LIMIT_SECONDS = 5.0
WAKE_LOOK_SECONDS = 4.0
"""How long the router may wait for somebody who wants an environment woken; less than it has for an answer."""
LONGEST_FREEZE_SECONDS = 300.0
"""Visitors wait no longer than that, whatever is asked for. It is half of the time that workers of nginx have to end
what they have (`RouterConfig.shutdown_seconds`): who is held when nginx reloads still gets an answer."""


class RouterRefused(DeployError):
    """The router did not do it; what it knew before is what it knows now."""

    code: ClassVar[str] = "router-refused"


class RouterAbsent(RouterRefused):
    """Nobody listens at the control socket: the command was never received."""

    code: ClassVar[str] = "router-absent"
    again_in_seconds: ClassVar[float | None] = 1.0


class RouterUnanswered(DeployError):
    """The command was sent and no answer came: it may have been carried out or not."""

    code: ClassVar[str] = "router-unanswered"
    again_in_seconds: ClassVar[float | None] = 1.0


class Router:
    """The commands of the router. Environments are named `<project>/<environment>`."""

    def __init__(
        self, session: aiohttp.ClientSession, earlier: aiohttp.ClientSession, socket: Path, *,
        pace: int = RELEASED_AT_ONCE,
    ) -> None:
        """
        Args:
            session: A session whose connector leads to the control socket; see `open_router`.
            earlier: One that leads to that of the router from which this one took over, if there is one.
            pace: Released requests that one web container may have under way at once.
        """
        self._session = session
        self._earlier = earlier
        self._socket = socket
        self._pace = pace
        self._turn = asyncio.Lock()

    async def freeze(self, environment: str, seconds: float, hosts: Sequence[str] = ()) -> Freeze:
        """Let new requests for the environment's hosts wait from now on, at most so long.

        An environment that is frozen keeps the end that it has. When the time is over, who waits and who comes gets the
        maintenance page, until `switch`, `thaw` or `maintenance(…, on=False)`.

        Args:
            hosts: Hosts that have no route yet and shall wait too (a first deployment, a new domain).
        """
        wanted = min(seconds, LONGEST_FREEZE_SECONDS)
        asked = {"environment": environment, "seconds": wanted, "hosts": [host.lower() for host in hosts]}
        return parse_freeze(await self._change("freeze", asked))

    async def switch(self, routes: RouteSet) -> Released:
        """Set all routes of an environment and release who waits, in one step; also ends maintenance.

        Said again with the same routes, it changes nothing and tells the same figures.

        Raises:
            RouterRefused: Nothing was switched; a freeze goes on until its end.
            RouterUnanswered: It may be switched or not.
        """
        return await self._release("switch", render_route_set(routes, pace=self._pace))

    async def preview(self, routes: RouteSet) -> None:
        """Set the routes that people with an operator's pass see while the environment is closed to everybody else.

        They are forgotten when it is open again.

        Raises:
            RouterRefused: It is open.
        """
        await self._change("preview", render_route_set(routes, pace=self._pace))

    async def put(self, routes: RouteSet, *, over: str | None) -> bool:
        """Set all routes of an environment and leave a freeze or maintenance as it is (at a start, after a repair).

        Args:
            over: The version that they take the place of, as `look` told it. When it is another one by now, nothing is
                changed: somebody switched, and visitors must not be led back to containers that are being removed.

        Returns:
            Whether the routes are set.
        """
        answer = await self._change("put", render_route_set(routes, pace=self._pace), {"over": over or ""})
        return not is_outdated(answer)

    async def complete(self) -> None:
        """Say that all environments have been put since nginx started: until then unknown hosts get 503, not 404."""
        await self._command("complete", {})

    async def leave(self, *, on: bool) -> None:
        """Let the router from which another one took over end its connections with their next answer.

        Args:
            on: False: let the one that serves not do so; it may have been the one that was left.
        """
        if on:
            await self._tell_earlier("leave", {"on": True})
        else:
            await self._command("leave", {"on": False})

    async def configuration(self, places: RouterPlaces) -> str | None:
        """Folder of the configuration that the router in these places' seat runs with.

        None: nobody listens there. "": it does not say.
        """
        async with _session(places.own_socket) as session:
            try:
                answer = await self._ask("status", {"environments": False}, session)
            except RouterAbsent:
                return None
            except (RouterRefused, RouterUnanswered):
                return ""
        return parse_status(answer).configuration

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Router]:
        """The same router for one who must not be interrupted: commands of all others wait."""
        async with self._turn:
            yield Router(self._session, self._earlier, self._socket, pace=self._pace)

    async def thaw(self, environment: str) -> Released:
        """End a freeze or maintenance: who waits goes to the routes that are set. Hosts only held are let go."""
        return await self._release("thaw", {"environment": environment})

    async def maintenance(self, environment: str, *, on: bool) -> Released:
        """Show the maintenance page for every request, or stop doing so; also stops it after a freeze that is over.

        A freeze that still has time goes on when maintenance ends.
        """
        return await self._release("maintenance", {"environment": environment, "on": on})

    async def remove(self, environment: str) -> None:
        """Forget an environment: its hosts are unknown from now on. May be said twice."""
        await self._change("remove", {"environment": environment})

    async def look(self, environment: str) -> str | None:
        """Which version is live; None when the environment has no routes. For when an answer was lost."""
        return parse_version(await self._command("look", {"environment": environment}))

    async def is_closed(self, environment: str) -> bool:
        """Whether visitors of an environment are held or see the maintenance page."""
        return parse_closed(await self._command("look", {"environment": environment}))

    async def status(self, *, environments: bool = True) -> RouterStatus:
        """What the router knows and what its freezes did.

        Args:
            environments: Tell of each; without them it is quick, however many there are.
        """
        asked = {"environments": environments}
        status = parse_status(await self._command("status", asked))
        before = await self._tell_earlier("status", asked)
        return status.with_earlier(parse_status(before)) if before is not None else status

    async def sleepers(self, known: int) -> Sleepers:
        """Whom visitors want to have woken; waits some seconds for somebody else. Changes wait for nothing of it.

        Args:
            known: The number of the answer before; -1: answer at once.
        """
        asked = {"known": known, "seconds": WAKE_LOOK_SECONDS}
        return parse_sleepers(await self._ask("sleepers", asked, self._session))

    async def _release(self, name: str, asked: Mapping[str, Any] | bytes) -> Released:
        answer = await self._command(name, asked)
        before = await self._tell_earlier(name, asked)
        return parse_released(answer) + parse_released(before or {})

    async def _change(
        self, name: str, asked: Mapping[str, Any] | bytes, query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        answer = await self._command(name, asked, query)
        await self._tell_earlier(name, asked, query)
        return answer

    async def _tell_earlier(
        self, name: str, asked: Mapping[str, Any] | bytes, query: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """Its answer; None when there is none, or when it does not do it: then only what it still has is lost."""
        try:
            return await self._command(name, asked, query, session=self._earlier)
        except RouterAbsent:
            return None
        except (RouterRefused, RouterUnanswered) as error:
            log.warning("earlier_router_not_told", command=name, what=error.what)
            return None

    async def _command(
        self, name: str, asked: Mapping[str, Any] | bytes, query: Mapping[str, str] | None = None, *,
        session: aiohttp.ClientSession | None = None,
    ) -> dict[str, Any]:
        async with self._turn:
            return await self._ask(name, asked, session or self._session, query)

    async def _ask(
        self, name: str, asked: Mapping[str, Any] | bytes, session: aiohttp.ClientSession,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
        try:
            async with session.post(f"http://router/{name}", params=query, data=BytesIO(body)) as answer:
                status, text = answer.status, await answer.text()
        except aiohttp.ClientConnectorError as error:
            raise RouterAbsent(
                f"the router does not listen at {self._socket}: {error.os_error.strerror}",
                hint="see whether its container runs: docker ps --filter label=deployd.role=router",
            ) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RouterUnanswered(
                f"the router did not answer to {name} within {LIMIT_SECONDS:.0f} s",
                evidence=(f"{type(error).__name__}: {error}",),
            ) from None
        return _judge(name, status, text)


def _judge(name: str, status: int, text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if status == 200 and isinstance(answer, dict):
        return answer
    if status in (400, 409, 413) and isinstance(answer, dict | None):
        reason = (answer or {}).get("refused", f"status {status}")
        raise RouterRefused(f"the router refused to {name}: {reason}")
    raise RouterUnanswered(f"the router failed at {name}: status {status}", evidence=tuple(text.splitlines()[:5]))


@asynccontextmanager
async def open_router(places: RouterPlaces, *, pace: int = RELEASED_AT_ONCE) -> AsyncIterator[Router]:
    """The router behind the control socket in these places."""
    async with _session(places.socket) as session, _session(places.earlier) as earlier:
        yield Router(session, earlier, places.socket, pace=pace)


def _session(socket: Path) -> aiohttp.ClientSession:
    """Each command has a connection of its own: one that a reload of nginx left would make an answer doubtful."""
    connector = aiohttp.UnixConnector(str(socket), force_close=True)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=LIMIT_SECONDS))
