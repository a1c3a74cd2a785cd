"""A session over SSH in an environment: begun, noted, attended to its end, and ended with all that it started.

    enter  ──► who? may they? which container? ──► a command in it ──► its socket is handed over
    resume ──► the same session, after a restart of the daemon    ──┐
    attend: sizes, signals, what is told ◄──────────────────────────┴──► over ──► status, noted
    tunnel ──► who? may they? a relationship of it? ──► a connection is handed over ──► left, noted

A daemon that stops leaves sessions alone; the next one goes on with them, and ends those that nobody comes back for.
One that reads its settings again does so too (`again`): by settings and roles of then they stay or go.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from deployd.access.actions import Action, refuse_unless_may
from deployd.access.caller import Caller
from deployd.access.directory import Directory
from deployd.access.errors import Forbidden, NotFound
from deployd.commands.audit import AuditCommands, Doing
from deployd.engine.engine import RunningCommand
from deployd.engine.errors import NotThere
from deployd.errors import DeployError
from deployd.inside import notes, tunnels
from deployd.inside.asked import caller_of, read_wanted
from deployd.inside.attend import Outcome, until_left, until_over
from deployd.inside.begin import Beginning
from deployd.inside.open_stays import OpenStays
from deployd.inside.targets import Entrance, NotOpen, Targets, refuse_unless_role
from deployd.release.ports import Host
from deployd.ssh.link_server import Handler, Question
from deployd.state import environments, stays
from deployd.state.stays import Stay
from deployd.state.store import Store

KILLED, UNKNOWN = 137, 255
MOST_SAID, LONGEST_SAID = 20, 300
"""Lines of an error for whoever is there, and letters of one: they go in one message."""


class NoSuchSession(DeployError):
    """The session that somebody wants to go on with is over, or another one's."""

    code: ClassVar[str] = "no-such-session"


@dataclass(frozen=True, slots=True)
class Needed:
    """What it takes to stay somewhere."""

    branch: str
    role: str = ""
    """The least, as the application says; empty: it says none."""
    refusal: DeployError | None = None
    """Nobody stays who came back."""


@dataclass(frozen=True, slots=True)
class Sessions:
    store: Store
    host: Host
    directory: Directory
    targets: Targets
    audit: AuditCommands
    beginning: Beginning
    open: OpenStays
    handed_over: asyncio.Event
    """Set when others answer in our place."""

    def handlers(self) -> dict[str, Handler]:
        return {"enter": self.enter, "resume": self.resume, "tunnel": self.tunnel}

    async def enter(self, question: Question) -> Mapping[str, Any]:
        """The handler of `enter`: who asks, `environment`, `project`, `worker`, `kind`, `command`, `env`, and of a
        terminal `term`, `columns`, `rows`. Answers with `stay`, `framed`, `mounts` and the socket."""
        caller, wanted = caller_of(self.directory, question.values), read_wanted(question.values)
        doing = notes.doing_of(caller, wanted)
        try:
            entrance = await self.targets.find(caller, wanted.project, wanted.environment, wanted.part)
            prepared = await self.beginning.prepare(entrance, wanted)
            stay = notes.stay_of("", entrance, caller, wanted, self.host.clock.now())
            command = await self._begin(notes.begun(doing, stay), self.beginning.begin(entrance, wanted, prepared))
        except DeployError as error:
            await self.audit.note(doing, "refused", error.what)
            raise
        stay = replace(stay, id=command.id)
        try:
            streams = command.streams
            assert streams is not None
            await question.answer(
                (streams,), stay=stay.id, framed=wanted.terminal is None,
                mounts=[mount.path for mount in entrance.instance.mounts],
            )
        except BaseException:
            await command.end()
            raise
        return await self._attend(question, stay, command, _may_stay_in(entrance))

    async def _begin(self, doing: Doing, beginning: Awaitable[RunningCommand]) -> RunningCommand:
        """Note who comes while the engine begins what they want: both take their time."""
        found: RunningCommand | DeployError
        async with asyncio.TaskGroup() as group:
            group.create_task(self.audit.note(doing, "done"), name="ssh: who comes in")
            try:
                found = await beginning
            except DeployError as error:
                found = error
        if isinstance(found, DeployError):
            raise found
        return found

    async def resume(self, question: Question) -> Mapping[str, Any]:
        """The handler of `resume`: who asks, and `stay`. Answers with nothing, and attends as those do."""
        caller = caller_of(self.directory, question.values)
        number = question.text("stay")
        stay = await self.store.read(lambda db: stays.find(db, number))
        if stay is None or stay.who != caller.name:
            raise NoSuchSession("this session is over")
        needed = await self._needed_in(caller, stay)
        if stay.kind == "tunnel":
            await question.answer()
            return await self._watch_tunnel(question, stay, needed)
        command = await self.host.engine.find_command(stay.id)
        if command is None:
            await self.leave(stay, Outcome())
            raise NoSuchSession("this session is over, and nobody knows any more how it ended")
        await question.answer()
        return await self._attend(question, stay, command, needed)

    async def _needed_in(self, caller: Caller, stay: Stay) -> Needed:
        """What it takes to stay somewhere; it may be another version by now, or nothing may be live."""
        found = await self.store.read(lambda db: environments.find(db, stay.environment))
        if found is None:
            return Needed("")
        try:
            project, environment = stay.environment
            return _may_stay_in(await self.targets.find(caller, project, environment, stay.part))
        except Forbidden as error:
            return Needed(found.branch, refusal=error)
        except (NotFound, NotOpen):
            return Needed(found.branch)

    async def tunnel(self, question: Question) -> Mapping[str, Any]:
        """The handler of `tunnel`: who asks, `environment`, `project`, `worker`, `host`, `port`. Answers with `stay`
        and the socket; a refusal afterwards ends it."""
        caller, wanted = caller_of(self.directory, question.values), read_wanted(question.values)
        name, port = question.text("host")[:200], question.values.get("port")
        wanted = replace(wanted, kind="tunnel", command=f"to {name}:{port}")
        doing = notes.doing_of(caller, wanted)
        try:
            entrance = await self.targets.find(
                caller, wanted.project, wanted.environment, wanted.part, Action.TUNNEL)
            channel = await tunnels.connect(entrance, self.host, name, port if isinstance(port, int) else 0)
        except DeployError as error:
            await self.audit.note(doing, "refused", error.what)
            raise
        try:
            stay = notes.stay_of(secrets.token_hex(16), entrance, caller, wanted, self.host.clock.now())
            await self.audit.note(notes.begun(doing, stay), "done")
            await self._keep(stay)
            await question.answer((channel,), stay=stay.id)
        finally:
            channel.close()
        return await self._watch_tunnel(question, stay, _may_stay_in(entrance))

    async def _watch_tunnel(self, question: Question, stay: Stay, needed: Needed) -> Mapping[str, Any]:
        """
        Raises:
            DeployError: Whoever has it may not have it any more.
        """
        self.open.add(stay, _nobody_reads)
        try:
            outcome = await until_left(
                question, lambda: self._refusal(question, stay, needed), self.handed_over)
        finally:
            self.open.remove(stay.id)
        if outcome.is_handed_over:
            return {"again": True}
        if outcome.error is not None:
            await self.leave(stay, Outcome(did=outcome.error.what))
            raise outcome.error
        await self.leave(stay, outcome)
        return {}

    async def leave(self, stay: Stay, outcome: Outcome, *, attended: bool = False) -> None:
        """Note the end of a stay. Of two who come to know it, one notes it.

        Args:
            attended: By us, to its end, which may have come before it was written down.
        """
        if await self.store.write(lambda db: stays.remove(db, stay.id)) or attended:
            await self.audit.note(notes.over(stay, outcome.status, outcome.did, self.host.clock.now()), "done")

    async def _attend(
        self, question: Question, stay: Stay, command: RunningCommand, needed: Needed,
    ) -> Mapping[str, Any]:
        async def tell(line: str) -> None:
            await question.tell(said=[line])

        self.open.add(stay, tell)
        try:
            outcome = await until_over(
                question, command, lambda: self._refusal(question, stay, needed), lambda: self._keep(stay),
                self.handed_over,
            )
        finally:
            self.open.remove(stay.id)
        if outcome.is_handed_over:
            command.let_go()
            return {"again": True}
        if isinstance(outcome.error, NotThere):      # its container was removed
            outcome.status, outcome.error = KILLED, None
        said = [line[:LONGEST_SAID] for line in outcome.error.lines()[:MOST_SAID]] if outcome.error else []
        if outcome.status == KILLED:
            said += await self._why_killed(stay)
        # Before the rest: nobody waits for us to write down that they are gone.
        await question.tell(status=UNKNOWN if outcome.status is None else outcome.status, said=said)
        await command.end()
        await self.leave(stay, outcome, attended=True)
        return {}

    async def _keep(self, stay: Stay) -> None:
        await self.store.write(lambda db: stays.add(db, stay))

    def _refusal(self, question: Question, stay: Stay, needed: Needed) -> DeployError | None:
        """Why somebody may not stay: their role has changed. Keys that are removed end their connections."""
        project = self.host.settings.projects.get(stay.environment.project)
        if needed.refusal is not None:
            return needed.refusal
        try:
            caller = caller_of(self.directory, question.values)
            action = Action.TUNNEL if stay.kind == "tunnel" else Action.SHELL
            refuse_unless_may(caller, action, stay.environment.project)
            if project is not None:
                branch = needed.branch
                refuse_unless_role(caller, project.id, branch, project.ssh_role(branch), "the settings")
                refuse_unless_role(caller, project.id, branch, needed.role, "`access` of the application")
        except DeployError as error:
            return error
        return None

    async def _why_killed(self, stay: Stay) -> list[str]:
        """What people should know when it was because the container went."""
        with suppress(DeployError):
            live = await self.host.facts.live(stay.environment)
            gone = "the container that this session was in has gone, and the session with it"
            if live is None:
                return [f"nothing is live in this environment any more: {gone}"]
            if live.home(stay.part) != stay.activity:
                return [f"version {live.activity} is live now: {gone}"]
        return []


def _may_stay_in(entrance: Entrance) -> Needed:
    return Needed(entrance.release.branch, entrance.instance.access.get("ssh", ""))


async def _nobody_reads(_: str) -> None:
    """A tunnel has no place for words."""
