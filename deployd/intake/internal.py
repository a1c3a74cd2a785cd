"""The daemon's side of the receive hooks: the push is checked before it is accepted, and followed after it.

Both answer with lines of JSON, `{"line": "…"}` for people and at the end `{"verdict": "accepted"}` or `"refused"`.
The answers go over the daemon's own Unix socket, which only root and the hooks can reach.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from deployd.git.mirror import without_user
from deployd.ids import ActivityId, CommitId
from deployd.intake.ports import Intake
from deployd.intake.push import Push
from deployd.intake.receive_hook import ACCEPTED, REFUSED
from deployd.settings import ProjectSettings

BRANCH = "refs/heads/"
NO_WAIT = "no-wait"
LINES = "application/x-ndjson"


def internal_routes(intake: Intake) -> list[web.RouteDef]:
    """Routes of the application on the Unix socket."""

    async def before(request: web.Request) -> web.StreamResponse:
        asked = await _asked(request, intake)
        said, accepted = await _look(intake, asked)
        if not accepted:
            said.append("push refused: nothing was changed, the environment runs what it ran before")
        answers = [*({"line": line} for line in said), {"verdict": ACCEPTED if accepted else REFUSED}]
        return web.Response(body=b"".join(map(_encoded, answers)), content_type=LINES)

    async def after(request: web.Request) -> web.StreamResponse:
        asked = await _asked(request, intake)
        # Durable before anything is said: whoever asks may be gone already, and git has moved the branches.
        receipts = [await intake.queue.push(push) for push in asked.pushes]
        async with _Answer(request) as answer:
            for receipt in receipts:
                await answer.lines([receipt.said])
            if not any(NO_WAIT in push.options for push in asked.pushes):
                for receipt in receipts:
                    if receipt.activity is not None:
                        await _follow(intake, receipt.activity, answer)
            await answer.verdict(ACCEPTED)
        return answer.response

    return [
        web.post("/internal/receive/pre-receive", before),
        web.post("/internal/receive/post-receive", after),
    ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a hook asks about."""

    project: ProjectSettings
    pushes: list[Push]
    others: list[str]
    """Refs that are no branches."""
    env: dict[str, str]
    """Where the objects lie until the push is accepted."""


async def _asked(request: web.Request, intake: Intake) -> _Asked:
    asked: dict[str, Any] = await request.json()
    project = intake.projects.get(asked["project"])
    if project is None:
        raise web.HTTPNotFound(text=json.dumps({"what": f"there is no project {asked['project']}"}))
    pushes = [
        Push(project.id, ref.removeprefix(BRANCH), CommitId(old), CommitId(new), "git", asked["who"],
             options=tuple(asked["options"]))
        for old, new, ref in asked["updates"] if ref.startswith(BRANCH)
    ]
    others = [ref for _, _, ref in asked["updates"] if not ref.startswith(BRANCH)]
    return _Asked(project, pushes, others, asked["env"])


async def _look(intake: Intake, asked: _Asked) -> tuple[list[str], bool]:
    """What the pusher must read, and whether the push may be accepted."""
    project = asked.project
    if project.remote is not None:
        return [f"the code of {project.id} comes from {without_user(project.remote.url)}", "mend: push there"], False
    said, accepted = [f"{ref} is kept; only branches are deployed" for ref in asked.others], True
    for push in asked.pushes:
        if push.deleted:
            if push.branch == project.production:
                said += [f"{push.branch} is production: deleting it would delete the live environment with its data",
                         "mend: name another branch with `production_branch` in the project's settings first"]
                accepted = False
            continue
        verdict = await intake.checker.check(project, push.new, push.branch, asked.env)
        said += verdict.lines
        accepted = accepted and verdict.accepted
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
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        if kind is not None and issubclass(kind, ConnectionError):
            return True
        if kind is None:
            await self.response.write_eof()
        return False

    async def lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            await self._write({"line": line})

    async def verdict(self, verdict: str) -> None:
        await self._write({"verdict": verdict})

    async def _write(self, value: dict[str, str]) -> None:
        await self.response.write(_encoded(value))


def _encoded(value: dict[str, str]) -> bytes:
    return json.dumps(value).encode() + b"\n"
