"""The daemon's side of the receive hooks: the push is checked before it is accepted, and followed after it.

Both answer with lines of JSON, `{"line": "…"}` for people and at the end `{"verdict": "accepted"}` or `"refused"`.
The answers go over the daemon's own Unix socket, which only root and the hooks can reach.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from deployd.ids import ActivityId, CommitId
from deployd.intake.ports import Intake
from deployd.intake.push import Push
from deployd.intake.receive_hook import ACCEPTED, REFUSED
from deployd.settings import ProjectSettings

BRANCH = "refs/heads/"
NO_WAIT = "no-wait"


def internal_routes(intake: Intake) -> list[web.RouteDef]:
    """Routes of the application on the Unix socket."""

    async def before(request: web.Request) -> web.StreamResponse:
        project, pushes = await _asked(request, intake)
        env = (await request.json())["env"]
        async with _Answer(request) as answer:
            accepted = True
            for push in pushes:
                if push.deleted:
                    continue
                verdict = await intake.checker.check(project, push.new, push.branch, env)
                await answer.lines(verdict.lines)
                accepted = accepted and verdict.accepted
            if not accepted:
                await answer.lines(["push refused: nothing was changed, the environment runs what it ran before"])
            await answer.verdict(ACCEPTED if accepted else REFUSED)
        return answer.response

    async def after(request: web.Request) -> web.StreamResponse:
        _, pushes = await _asked(request, intake)
        async with _Answer(request) as answer:
            receipts = [await intake.queue.push(push) for push in pushes]   # durable before anything is said
            for receipt in receipts:
                await answer.lines([receipt.said])
            if not any(NO_WAIT in push.options for push in pushes):
                for receipt in receipts:
                    if receipt.activity is not None:
                        await _follow(intake, receipt.activity, answer)
            if not intake.logs.stopping:   # else the hook tells the pusher that the deployment goes on without us
                await answer.verdict(ACCEPTED)
        return answer.response

    return [
        web.post("/internal/receive/pre-receive", before),
        web.post("/internal/receive/post-receive", after),
    ]


async def _asked(request: web.Request, intake: Intake) -> tuple[ProjectSettings, list[Push]]:
    asked: dict[str, Any] = await request.json()
    project = intake.projects.get(asked["project"])
    if project is None:
        raise web.HTTPNotFound(text="no such project")
    return project, [
        Push(project.id, ref.removeprefix(BRANCH), CommitId(old), CommitId(new), "git", asked["who"],
             options=tuple(asked["options"]))
        for old, new, ref in asked["updates"] if ref.startswith(BRANCH)
    ]


async def _follow(intake: Intake, activity: ActivityId, answer: _Answer) -> None:
    following = intake.logs.follow(activity)
    while (lines := await following.take()) is not None:
        await answer.lines(lines)   # none at a heartbeat: then only whether the pusher is still there is seen


class _Answer:
    """A streamed answer; a pusher who leaves is no error, the deployment goes on."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})

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
        await self.response.write(json.dumps(value).encode() + b"\n")
