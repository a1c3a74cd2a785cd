"""Who works in a place: pushes of good and bad versions, redeploys, rollbacks, cancels, deleted branches.

Whether the daemon lives is none of their business: what it did not take is tried no second time, and what it took is in
its database, which is all that counts afterwards.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from deployd.environment.naming import machine_name
from deployd.process import run
from scripts.git_push import git_environment
from scripts.local_daemon import LocalDaemon
from scripts.repository import commit
from tests.chaos.sample import Mood, Place, files_of, first_files, services_file
from tests.support.journal_record import read_open

REST_SECONDS = 1.0
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 60.0
"""How long an actor waits for the end of what was begun, before the next idea."""
PUSH_SECONDS = 120.0
ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Made:
    """A commit that was pushed, or was to be."""

    text: str
    mood: Mood


@dataclass
class Actor:
    """One place and its working tree."""

    daemon: LocalDaemon
    place: Place
    folder: Path
    with_service: bool
    seed: int
    commits: dict[str, Made] = field(default_factory=dict)
    """{commit: what it holds}"""
    did: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed} {self.place}")
        self._number = 0

    @property
    def state(self) -> Path:
        return self.daemon.directory / "var" / "state" / "state.db"

    async def prepare(self) -> None:
        """A working tree with the first version, and that version live."""
        self.folder.mkdir(parents=True)
        await run("git", "init", "--quiet", "--initial-branch=main", cwd=self.folder, env=git_environment())
        await self._write(first_files(with_service=self.with_service), Made("v0", "calm"))
        pushed = await self._push()
        assert pushed, f"the first version of {self.place} was refused"
        await self.until_quiet()

    async def act(self, enough: asyncio.Event) -> None:
        """One idea after the other."""
        ideas: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (5, self.push_calm), (1, self.push_bad_build), (2, self.push_bad_deploy), (1, self.push_bad_post),
            (1, self.push_twice), (1, self.push_and_cancel), (1, self.redeploy), (1, self.roll_back),
            (1 if self.place.may_go else 0, self.delete),
        ]
        weights, choices = [weight for weight, _ in ideas], [idea for _, idea in ideas]
        while not enough.is_set():
            idea = self._chance.choices(choices, weights)[0]
            self.did.append(idea.__name__)
            await idea()
            if self._chance.random() < 0.7:
                await self.until_quiet()
            await asyncio.sleep(self._chance.uniform(0, REST_SECONDS))

    async def push_calm(self) -> None:
        await self._push_new("calm")

    async def push_bad_build(self) -> None:
        await self._push_new("bad-build")

    async def push_bad_deploy(self) -> None:
        await self._push_new("bad-deploy")

    async def push_bad_post(self) -> None:
        await self._push_new("bad-post")

    async def push_bad_release(self) -> None:
        await self._push_new("bad-release")

    async def push_twice(self) -> None:
        for _ in range(3):
            await self._push_new("calm")

    async def push_and_cancel(self) -> None:
        await self._push_new("calm")
        await asyncio.sleep(self._chance.uniform(0, 3))
        for number in read_open(self.state, self.place.project, self.place.branch):
            await self._ask(f"/api/v1/activities/{number}/cancel")

    async def redeploy(self) -> None:
        await self._ask(f"{self._environment}/redeploy")

    async def roll_back(self) -> None:
        await self._ask(f"{self._environment}/rollback", {"lock": False})   # else all pushes after it wait

    async def pause(self) -> None:
        """Its next visitor wakes it."""
        await self._ask(f"{self._environment}/pause")

    async def deactivate(self) -> None:
        await self._ask(f"{self._environment}/deactivate")

    async def activate(self) -> None:
        await self._ask(f"{self._environment}/activate")

    async def delete_only(self) -> None:
        """Delete the branch; its environment goes with it."""
        await self.daemon.push(self.folder, self.place.project, branch=self.place.branch, on_line=_unheard,
                               options=("no-wait",), delete=True, limit_seconds=PUSH_SECONDS)

    async def delete(self) -> None:
        """Delete the branch, see the environment go or not, and push a version again."""
        await self.delete_only()
        if self._chance.random() < 0.5:
            await self.until_quiet()
        await self._push_new("calm")

    async def until_quiet(self) -> None:
        """Until nothing is open in the place, or patience ends."""
        for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
            if not await asyncio.to_thread(read_open, self.state, self.place.project, self.place.branch):
                return
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def _environment(self) -> str:
        return f"/api/v1/projects/{self.place.project}/environments/{machine_name(self.place.branch)}"

    async def _push_new(self, mood: Mood) -> None:
        self._number += 1
        made = Made(f"v{self._number}", mood)
        await self._write({**files_of(made.text, mood), **self._services()}, made)
        await self._push()

    def _services(self) -> dict[str, str]:
        """The service in another size now and then: it is replaced while visitors are held."""
        return services_file("S" if self._number % 3 == 1 else "M") if self.with_service else {}

    async def _write(self, files: dict[str, str], made: Made) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.commits[await commit(self.folder, made.text)] = made

    async def _push(self) -> bool:
        pushed = await self.daemon.push(self.folder, self.place.project, branch=self.place.branch, on_line=_unheard,
                                        options=("no-wait",), force=True, limit_seconds=PUSH_SECONDS)
        return pushed.status == 0

    async def _ask(self, path: str, body: dict[str, bool] | None = None) -> None:
        try:
            async with (
                self.daemon.session() as session, asyncio.timeout(ASK_SECONDS),
                session.post(path, json=body or {}) as answer,
            ):
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return   # nobody there, or it died over it


def _unheard(_line: str) -> None:
    """What a pusher's terminal would show."""
