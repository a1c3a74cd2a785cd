"""A storm: actors work in several places, visitors come all the time, and the daemon is killed again and again.

    prepare      every place has a first version that is live
    storm        actors, visitors and the killer, side by side; half of the kills come at a named point of a deployment
                 (support/kill_points.py), the others at any moment
    calm         no more ideas and kills; the daemon carries out what is open
    count        count.py
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deployd.environment.naming import machine_name
from deployd.process import run
from scripts.git_push import git_environment
from scripts.local_daemon import DaemonDidNotStart, LocalDaemon
from tests.chaos.actors import Actor
from tests.chaos.count import Count, hooks_not_once, lost_activities, lost_pushes, wrong_answers, wrong_orders
from tests.chaos.sample import Place
from tests.chaos.visitors import Visitors
from tests.support.inventory import ownerless
from tests.support.journal_record import Record, read_live, read_open, read_records
from tests.support.kill_points import LAST_WORDS, VARIABLE, points

PLACES = (Place("shop", "main"), Place("shop", "feature", may_go=True), Place("pair", "main"))
WITH_SERVICE = frozenset({"pair"})
POINT_SECONDS = 8.0
"""A point that nobody has come to in this time is given up, and the daemon is killed where it is."""
LONGEST_LIFE_SECONDS = 4.0
CALM_SECONDS = 180.0
HEAL_SECONDS = 60.0
"""A push that was lost between git and the database is found by a look at the repositories, 20 s after a start."""
NOTE_SECONDS = 0.3
START_SECONDS = 120.0


@dataclass
class Storm:
    """One storm on one daemon, which nobody else uses.

    Args:
        enough: Asked after each kill, with how many there were.
        say: Gets what a person reads meanwhile.
    """

    daemon: LocalDaemon
    folder: Path
    seed: int
    enough: Callable[[int], bool]
    say: Callable[[str], None] = print
    places: tuple[Place, ...] = PLACES
    ran: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """{(project, environment): what hooks wrote}; of environments that are gone what was seen of it."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._points: list[str] = []
        self._kills = 0
        self._over = asyncio.Event()
        self.actors = [
            Actor(self.daemon, place, self.folder / f"{place.project}-{place.branch}",
                  place.project in WITH_SERVICE, self.seed)
            for place in self.places
        ]
        self.visitors = Visitors(self.daemon, self.places)

    @property
    def _state(self) -> Path:
        return self.daemon.directory / "var" / "state"

    async def run(self) -> Count:
        """From the first push to the count. The daemon runs at the end."""
        await self.daemon.start(limit_seconds=300)
        for actor in self.actors:
            await actor.prepare()
        self.say(f"prepared: {len(self.places)} places are live")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._note_hooks(), name="notary")
            group.create_task(self.visitors.visit(), name="visitors")
            over = asyncio.Event()
            async with asyncio.TaskGroup() as workers:
                for actor in self.actors:
                    workers.create_task(actor.act(over), name=f"actor of {actor.place}")
                await self._kill_until_enough()
                over.set()
            await self._calm()
            self.visitors.leave()
            self._over.set()
        return await self._count()

    async def _kill_until_enough(self) -> None:
        await self._kill("at any moment")
        while not self.enough(self._kills):
            if self._chance.random() < 0.5:
                await self._live_until(self._next_point())
            else:
                await self._live_for(self._chance.uniform(0, LONGEST_LIFE_SECONDS))
        await self.daemon.start(START_SECONDS)

    def _next_point(self) -> str:
        """Each once, in an order of chance, before any comes again."""
        if not self._points:
            self._points = points()
            self._chance.shuffle(self._points)
        return self._points.pop()

    async def _live_for(self, seconds: float) -> None:
        await self.daemon.start(START_SECONDS)
        await asyncio.sleep(seconds)
        await self._kill("at any moment")

    async def _live_until(self, point: str) -> None:
        try:
            await self.daemon.start(START_SECONDS, module="tests.support.kill_points", environment={VARIABLE: point})
        except DaemonDidNotStart:
            if not self._died_at(point):
                raise
        began = time.monotonic()
        while self.daemon.running() is not None:
            if time.monotonic() - began > POINT_SECONDS:
                await self._kill(f"nobody came to {point}")
                return
            await asyncio.sleep(0.02)
        if not self._died_at(point):
            raise AssertionError(f"the daemon ended by itself:\n{self.daemon.log_tail(40)}")
        self._killed(point)

    def _died_at(self, point: str) -> bool:
        return f"{LAST_WORDS} {point}" in self.daemon.log_tail(1)

    async def _kill(self, why: str) -> None:
        pid = self.daemon.running()
        assert pid is not None, f"the daemon ended by itself:\n{self.daemon.log_tail(40)}"
        os.kill(pid, signal.SIGKILL)
        while self.daemon.running() is not None:
            await asyncio.sleep(0.01)
        self._killed(why)

    def _killed(self, why: str) -> None:
        self._kills += 1
        self.say(f"kill {self._kills}: {why}; {len(read_open(self._state / 'state.db'))} activities are open")

    async def _calm(self) -> None:
        self.say("calm: what is open is carried out")
        began = time.monotonic()
        while read_open(self._state / "state.db") and time.monotonic() - began < CALM_SECONDS:
            await asyncio.sleep(0.2)
        while await self._lost_pushes() and time.monotonic() - began < HEAL_SECONDS:
            await asyncio.sleep(0.5)
        while read_open(self._state / "state.db") and time.monotonic() - began < CALM_SECONDS:
            await asyncio.sleep(0.2)
        await asyncio.sleep(1)   # visitors of the last version

    async def _note_hooks(self) -> None:
        """Write down what hooks wrote, before an environment that is deleted takes it along."""
        while not self._over.is_set():
            await asyncio.to_thread(self._note_once)
            await asyncio.sleep(NOTE_SECONDS)

    def _note_once(self) -> None:
        for file in self._state.glob("environments/*/*/volumes/app/data/ran"):
            project, environment = file.parts[-6:-4]
            try:
                lines = file.read_text().splitlines()
            except FileNotFoundError:
                continue
            known = self.ran.setdefault((project, environment), [])
            before = [line for line in known if line not in lines]   # of an environment of the same name that is gone
            self.ran[project, environment] = before + lines

    async def _lost_pushes(self) -> list[str]:
        tips = {}
        for place in self.places:
            repository = self._state / "repos" / f"{place.project}.git"
            found = await run("git", "--git-dir", str(repository), "rev-parse", "--verify", "--quiet",
                              f"refs/heads/{place.branch}", check=False, env=git_environment())
            tips[place.project, place.branch] = found.text or None
        return lost_pushes(read_records(self._state / "state.db"), tips)

    async def _count(self) -> Count:
        self._note_once()
        records = read_records(self._state / "state.db")
        built = [line for file in self._state.glob("caches/*/ran") for line in file.read_text().splitlines()]
        ran = [line for lines in self.ran.values() for line in lines]
        kept = {
            place: (self._state / "environments" / place.project / machine_name(place.branch)
                    / "volumes/app/data/orders").read_text().split()
            for place in self.places if not place.may_go
        }
        commits = {actor.place: actor.commits for actor in self.actors}
        count = Count(self._kills, len(records))
        count.lost = [*lost_activities(records), *await self._lost_pushes()]
        count.visitor_errors = [*wrong_answers(self.visitors.answers, records, commits),
                                *wrong_orders(self.visitors.orders(), kept)]
        count.hooks_twice = hooks_not_once(records, [*built, *ran])
        count.left_over = await ownerless(self.daemon, read_live(self._state / "state.db"))
        self._say_how_it_was(records)
        return count

    def _say_how_it_was(self, records: list[Record]) -> None:
        states = dict(Counter(f"{item.kind} {item.state}" for item in records))
        held = sum(answer.status == 503 for answer in self.visitors.answers)
        self.say(f"activities: {states}; answers: {len(self.visitors.answers)}, {held} of them the maintenance page")
