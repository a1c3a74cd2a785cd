"""The daemon's side of the receive hooks: the push is checked before it is accepted, and followed after it.

Question and answer are plain text, see `receive_hook.py`: JSON would make each push wait for its import. They go
over the daemon's own Unix socket, which only root and the hooks can reach.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from deployd.git.mirror import without_user
from deployd.http.outlasts_reload import OUTLASTS_RELOAD
from deployd.ids import ActivityId, CommitId, ProjectId
from deployd.intake.accepted_refs import BRANCH, Ref, refused_refs
from deployd.intake.ports import Intake
from deployd.intake.push import GIT, NOTHING, Push
from deployd.intake.push_options import NO_WAIT, unknown_options
from deployd.intake.receive_hook import ACCEPTED, REFUSED, SHOWN, VERDICT
from deployd.settings import ProjectSettings

LOOK_SECONDS = 300.0
"""For all branches of a push together; each reading is bounded itself."""
LINES = "text/plain"


def receive_hook_routes(intake: Intake) -> list[web.RouteDef]:
    """Routes of the application on the Unix socket."""
    return [
        web.post("/internal/receive/pre-receive", partial(_before, intake)),
        web.post("/internal/receive/post-receive", partial(_after, intake)),
    ]


async def _before(intake: Intake, request: web.Request) -> web.StreamResponse:
    asked = await _asked(request, intake)
    said, accepted = await _look(intake, asked)
    if not accepted:
        said.append("push refused: nothing was changed, the environment runs what it ran before")
    body = b"".join(map(_shown, said)) + _verdict(ACCEPTED if accepted else REFUSED)
    return web.Response(body=body, content_type=LINES)


async def _after(intake: Intake, request: web.Request) -> web.StreamResponse:
    asked = await _asked(request, intake)
    # Durable before anything is said: whoever asks may be gone already, and git has moved the branches.
    receipts = [await intake.queue.push(push) for push in asked.pushes]
    async with _Answer(request) as answer:
        for receipt in receipts:
            await answer.lines([receipt.said])
        if not any(NO_WAIT in push.options for push in asked.pushes):
            activities = [receipt.activity for receipt in receipts if receipt.activity is not None]
            if not await intake.sessions.stored(asked.session, activities):
                for activity in activities:
                    await _follow(intake, activity, answer)
        await answer.verdict(ACCEPTED)
    return answer.response


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a hook asks about."""

    project: ProjectSettings
    pushes: list[Push]
    others: list[Ref]
    """Those that are no branches."""
    env: dict[str, str]
    """Where the objects lie until the push is accepted."""
    session: str
    """Of whoever shows the log himself."""


async def _asked(request: web.Request, intake: Intake) -> _Asked:
    said: dict[str, list[str]] = {
        "project": [], "who": [], "by": [], "address": [], "session": [], "update": [], "option": [], "env": [],
    }
    for item in (await request.read()).decode("utf-8", "surrogateescape").split("\0"):
        word, _, value = item.partition(" ")
        said[word].append(value)
    (name,), (who,) = said["project"], said["who"]
    project = intake.projects.get(ProjectId(name))
    if project is None:
        raise web.HTTPNotFound(text=json.dumps({"what": f"there is no project {name}"}))
    updates = [item.split(" ", 2) for item in said["update"]]   # in names there is white space that git does not know
    pushes = [
        Push(project.id, ref.removeprefix(BRANCH), CommitId(old), CommitId(new), GIT, who,
             options=tuple(said["option"]), address="".join(said["address"][:1]), by="".join(said["by"][:1]))
        for old, new, ref in updates if ref.startswith(BRANCH)
    ]
    others = [
        Ref(ref, deleted=bool(NOTHING.fullmatch(new))) for _, new, ref in updates if not ref.startswith(BRANCH)
    ]
    env = dict(item.split(" ", 1) for item in said["env"])
    return _Asked(project, pushes, others, env, "".join(said["session"][:1]))


async def _look(intake: Intake, asked: _Asked) -> tuple[list[str], bool]:
    """What the pusher must read, and whether the push may be accepted."""
    project = asked.project
    if project.remote is not None:
        return [f"the code of {project.id} comes from {without_user(project.remote.url)}", "hint: push there"], False
    refusals = refused_refs(project, asked.pushes, asked.others)
    if refusals:
        return refusals, False
    refusal = await intake.queue.refusal(project.id, asked.pushes)   # first: reading thousands of commits takes long
    if refusal is not None:
        return refusal.lines(), False
    unmerged = await intake.checker.unmerged(project, asked.pushes, asked.env)
    if unmerged is not None:
        return unmerged.lines(), False
    said = [f"{other.name} is kept; only branches are deployed" for other in asked.others]
    said += unknown_options(option for push in asked.pushes for option in push.options)
    accepted = True
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            for push in asked.pushes:
                if not push.deleted and not await intake.queue.stored(push):
                    verdict = await intake.checker.check(project, push.new, push.branch, asked.env)
                    said += verdict.lines
                    accepted = accepted and verdict.accepted
    except TimeoutError:
        said += [f"the branches could not be looked at within {LOOK_SECONDS:g} s", "hint: push fewer at once"]
        return said, False
    return said, accepted


async def _follow(intake: Intake, activity: ActivityId, answer: _Answer) -> None:
    with closing(intake.logs.follow(activity)) as following:
        while (lines := await following.take()) is not None:
            await answer.lines(lines)   # none at a heartbeat


class _Answer:
    """A streamed answer; a pusher who leaves is no error, the deployment goes on."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(headers={"Content-Type": LINES})

    async def __aenter__(self) -> _Answer:
        await self.response.prepare(self._request)
        self._request[OUTLASTS_RELOAD] = True
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        if kind is not None and issubclass(kind, ConnectionError):
            return True
        if kind is None:
            await self.response.write_eof()
        return False

    async def lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            await self.response.write(_shown(line))

    async def verdict(self, verdict: str) -> None:
        await self.response.write(_verdict(verdict))


def _shown(text: str) -> bytes:
    """Every line of a text, marked as one for the pusher."""
    return "".join(f"{SHOWN}{line}\n" for line in text.splitlines() or [""]).encode(errors="replace")


def _verdict(verdict: str) -> bytes:
    return f"{VERDICT}{verdict}\n".encode()
