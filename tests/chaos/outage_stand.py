"""Two environments of one project with two applications each, on an Engine of their own: four hosts, four texts.

A crowd asks all four all the time. A host may answer with its own text, with an error of the router, or not at all.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from yarl import URL

from deployd.process import run
from scripts.git_push import git_environment
from scripts.local_daemon import LocalDaemon
from scripts.repository import commit
from tests.chaos.own_engine import OwnEngine
from tests.support.journal_record import read_open, read_records

PROJECT, BRANCHES, APPS = "shop", ("main", "feature"), ("one", "two")
CATALOGUE = {
    "runtimes": {"nodejs": {"20": {"image": "deployd/base:trixie"}}},
    "web": {"image": "deployd/web:1"}, "router": {"image": "deployd/router:1"},
}
APP = """\
name: {app}
type: nodejs:20
web:
  locations:
    /:
      root: public
      index: [index.html]
hooks:
  build: |
    sleep {build_seconds}
  deploy: |
    sleep {deploy_seconds}
"""
ROUTES = {
    "http://{default}/": {"type": "upstream", "upstream": "one:http"},
    "http://two.{default}/": {"type": "upstream", "upstream": "two:http"},
}
BACK_SECONDS = 120.0
END_SECONDS = 200.0
PAUSE_SECONDS = 0.03
Host = tuple[str, str]
"""(branch, application)"""


@dataclass
class Stand:
    """An Engine, a daemon, a working tree."""

    folder: Path
    engine: OwnEngine
    daemon: LocalDaemon
    right: dict[Host, set[str]] = field(default_factory=dict)
    """Texts that each host may answer with."""
    answers: Counter[tuple[Host, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.daemon.directory / "var/state/state.db"

    async def push(self, branch: str, version: str, *, build_seconds: float = 0, deploy_seconds: float = 0) -> None:
        """A version of both applications; not waited for."""
        tree = self.folder / "tree"
        for app in APPS:
            text = f"{version} of {app} on {branch}"
            (tree / app / "public").mkdir(parents=True, exist_ok=True)
            (tree / app / "public/index.html").write_text(text)
            (tree / app / ".platform.app.yaml").write_text(
                APP.format(app=app, build_seconds=build_seconds, deploy_seconds=deploy_seconds))
            self.right.setdefault((branch, app), set()).add(text)
        (tree / ".platform").mkdir(exist_ok=True)
        (tree / ".platform/routes.yaml").write_text(yaml.safe_dump(ROUTES))
        await commit(tree, version)
        pushed = await self.daemon.push(tree, PROJECT, branch=branch, force=True, options=("no-wait",),
                                        on_line=lambda _: None)
        assert pushed.status == 0, pushed.lines

    async def until_ended(self) -> str:
        """State of the newest activity, when nothing is open any more."""
        await until(lambda: so(not read_open(self.state)), "nothing is open", END_SECONDS)
        return read_records(self.state)[-1].state

    async def ask(self, host: Host) -> tuple[int, str]:
        """0: nobody listens, or the answer broke off."""
        url = URL(self.daemon.url(PROJECT, host[0]))
        name = f"two.{url.authority}" if host[1] == "two" else url.authority
        try:
            async with aiohttp.ClientSession() as session, session.get(
                url.with_host("127.0.0.1"), headers={"Host": name},
            ) as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def all_answer(self) -> bool:
        return all([(await self.ask(host))[0] == 200 for host in self.right])

    @asynccontextmanager
    async def crowd(self) -> AsyncIterator[None]:
        """Asks all hosts all the time, and notes what is wrong."""
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(self._ask_always(host), name=f"visitor of {host}") for host in self.right]
            try:
                yield
            finally:
                for task in asking:
                    task.cancel()

    async def _ask_always(self, host: Host) -> None:
        while True:
            status, text = await self.ask(host)
            self.answers[host, status] += 1
            if not (status in (0, 502, 503) or (status == 200 and text in self.right[host])):
                self.wrong.append(f"{host} answered {status} {text[:100]!r} at {time.time():.3f}")
            await asyncio.sleep(PAUSE_SECONDS)


async def prepare(folder: Path) -> Stand:
    """Both environments live."""
    await run("ip", "link", "set", "lo", "up")
    engine = OwnEngine(folder)
    await engine.start()
    await engine.docker("load", "--input", str(folder / "images.tar"))
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(CATALOGUE))
    daemon = LocalDaemon(folder / "daemon", {PROJECT: {}}, instance="outage", settings={
        "docker_socket": str(engine.socket), "catalogue": str(folder / "catalogue.yaml"), "answer_seconds": 20,
    })
    stand = Stand(folder, engine, daemon)
    (folder / "tree").mkdir()
    await run("git", "init", "--quiet", "--initial-branch=main", cwd=folder / "tree", env=git_environment())
    await daemon.start()
    for branch in BRANCHES:
        await stand.push(branch, "v1")
        assert await stand.until_ended() == "success", daemon.log_tail(40)
    assert await stand.all_answer()
    return stand


async def until(question: Callable[[], Awaitable[bool]], what: str, limit_seconds: float = BACK_SECONDS) -> None:
    began = time.monotonic()
    while not await question():
        assert time.monotonic() - began < limit_seconds, f"not within {limit_seconds:.0f} s: {what}"
        await asyncio.sleep(0.1)


async def so(value: bool) -> bool:
    """For `until`, when the answer is there already."""
    return value
