"""Whether a new version answers, asked straight, past the router, and will go on to do so.

As far as that can be seen before the switch: its start command runs, and it is looked at for a moment
(`steadiness.py`). What is wrong when it does not is put into words in `not_answering.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import aiohttp

from deployd.engine.observed import ContainerSeen
from deployd.project.model import Application
from deployd.release.answers.not_answering import NO_ANSWER, Silence, not_answering
from deployd.release.answers.steadiness import ENDED_IN_VAIN, Steadiness
from deployd.release.applications.needed import is_needed, scripts_of, wanted_socket
from deployd.release.applications.start_records import Starts, read_starts
from deployd.release.applications.web_server import WEB_PORT
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Release

GATEWAY_ERRORS = frozenset({502, 503, 504})
"""What the web container says while nothing listens behind it; any other answer is the application's."""
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.005, 0.2, 1.1
BETWEEN_ANSWERS_SECONDS = 0.015
LOOK_SECONDS = 1.0
ASK_SECONDS = 10.0


async def wait_until_answering(release: Release, host: Host, app: Application, limit_seconds: float) -> None:
    """Wait until each instance of an application answers; the first that does not is the error.

    Raises:
        As `wait_until_instance_answers`.
    """
    await in_parallel(
        wait_until_instance_answers(release, host, app, part, limit_seconds) for part in release.webs(app.name)
    )


async def wait_until_instance_answers(
    release: Release, host: Host, app: Application, part: str, limit_seconds: float,
) -> None:
    """Wait until the application answers GET / with anything but a gateway error, several times, and its start command
    runs meanwhile.

    Raises:
        NotAnswering: Nothing answered in time, or its start command ends again and again; its last output is the
            evidence.
        EnvironmentFileFailed: Its `.environment` ended the shell.
    """
    loop = asyncio.get_running_loop()
    began, pause = loop.time(), PAUSE_SECONDS
    async with aiohttp.ClientSession() as session:
        probe = _Probe(release, host, app, part, session, began)
        try:
            async with asyncio.timeout(limit_seconds):
                while not await probe.is_enough():
                    if await probe.is_in_vain():
                        break
                    pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
                    await asyncio.sleep(pause if probe.seen else BETWEEN_ANSWERS_SECONDS)
                else:
                    return
        except TimeoutError:
            pass
    seconds, has_answered = loop.time() - began, probe.steady.has_answered
    what = f"{part} answered, and did not go on to do so" if has_answered else (
        f"{part} does not answer" + (f" after {seconds:.0f} s" if seconds >= 1 else "")
    )
    raise await not_answering(release, host, app, part, Silence(what, probe.seen, probe.starts, has_answered))


@dataclass
class _Probe:
    """Looks at one instance of an application until they are enough. Once all is well, only the kernel is asked."""

    release: Release
    host: Host
    app: Application
    part: str
    session: aiohttp.ClientSession
    asked_engine_at: float
    steady: Steadiness = field(default_factory=Steadiness)
    starts: Starts | None = None
    seen: str = "no connection"
    """What is wrong; empty when the application answered."""
    address: str | None = None
    """Of its web container."""
    own: ContainerSeen | None = None
    """Its own container, when it was last seen to run."""

    async def is_enough(self) -> bool:
        self.address = self.address or await self._find_address()
        if self.address is not None:
            self.seen = NO_ANSWER   # when the time is over while it is asked
            self.seen = await _ask(self.session, self.address)
        if self.seen:
            self.address = self.own = None
        elif not is_needed(self.app):
            return True   # nothing but files
        scripts = scripts_of(self.release, self.host, self.part)
        self.starts = await asyncio.to_thread(read_starts, scripts) if is_needed(self.app) else None
        answered = not self.seen and await self._is_up()
        return self.steady.look(
            asyncio.get_running_loop().time(), self.starts, answered=answered,
            age_seconds=self._age(), itself=answered and await self._listens_itself(),
        )

    async def is_in_vain(self) -> bool:
        """Whether waiting longer is of no use; visitors are held meanwhile."""
        if self.steady.is_in_vain(self.starts):
            return True
        now = asyncio.get_running_loop().time()
        if not is_needed(self.app) or now - self.asked_engine_at < LOOK_SECONDS:
            return False
        self.asked_engine_at = now   # also of a container whose script writes nothing down
        own = await self.host.engine.container(self._name("app"))
        return own is not None and own.restarts >= ENDED_IN_VAIN

    def _name(self, role: str) -> str:
        return self.release.container(role, self.part)

    async def _find_address(self) -> str | None:
        web = await self.host.engine.container(self._name("web"))
        return web.addresses.get(self.release.names.network) if web is not None and web.running else None

    async def _is_up(self) -> bool:
        """Whether its own container runs, and is not just started again."""
        is_known = self.starts is None or self.starts.begun == self.steady.begun
        if is_known and self.own is not None and await self.host.engine.is_alive(self.own):
            return True
        # Also when the kernel shows no such process: a daemon in a container of its own sees none of others.
        own = await self.host.engine.container(self._name("app"))
        self.own = own if own is not None and own.running and own.has_process else None
        return self.own is not None

    async def _listens_itself(self) -> bool:
        if self.own is None or self.starts is None or not self.starts.runs:
            return False
        return await self.host.engine.listens_itself(self.own, self.starts.pid, wanted_socket(self.app))

    def _age(self) -> float:
        return self.host.clock.now().timestamp() - self.starts.written_at if self.starts is not None else 0.0


async def _ask(session: aiohttp.ClientSession, address: str) -> str:
    """What is wrong; empty when the application answered."""
    try:
        async with session.get(
            f"http://{address}:{WEB_PORT}/", allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=ASK_SECONDS),
            headers={"User-Agent": "deployd health check", "X-Deployd-Probe": "1"},
        ) as answer:
            return f"status {answer.status}" if answer.status in GATEWAY_ERRORS else ""
    except TimeoutError:
        return NO_ANSWER
    except aiohttp.ClientError as error:
        return f"no answer ({type(error).__name__})"
