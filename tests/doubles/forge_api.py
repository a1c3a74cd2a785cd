"""The APIs of GitHub and GitLab as far as they are told of deployments: what they are sent is checked field by field
against what their documentation asks for, and they fail when they are told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

TOKEN = "a token of the forge's API"
COMMIT = 40
GITHUB_STATUS = ("error", "failure", "pending", "success")
GITHUB_DEPLOYMENT = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
GITLAB_STATUS = ("pending", "running", "success", "failed", "canceled", "skipped")
GITLAB_DEPLOYMENT = ("created", "running", "success", "failed", "canceled")
Refusal = Callable[[web.Request], web.Response | None]


@dataclass
class ForgeApi:
    url: str = ""
    statuses: list[dict[str, Any]] = field(default_factory=list)
    deployments: dict[int, dict[str, Any]] = field(default_factory=dict)
    """{number: what it was made of, with the `states` that it went through}"""
    environments: list[dict[str, Any]] = field(default_factory=list)
    refuse: Refusal = lambda _: None
    wrong: list[str] = field(default_factory=list)
    """Requests that the real forge would not have taken."""

    def routes(self) -> list[web.RouteDef]:
        github, gitlab = "/repos/{owner}/{name}", "/projects/{project:[^/]+}"
        return [
            web.post(f"{github}/statuses/{{sha}}", self._github(self._github_status)),
            web.post(f"{github}/deployments", self._github(self._github_deployment)),
            web.post(f"{github}/deployments/{{number}}/statuses", self._github(self._github_deployment_status)),
            web.post(f"{gitlab}/statuses/{{sha}}", self._gitlab(self._gitlab_status)),
            web.post(f"{gitlab}/environments", self._gitlab(self._gitlab_environment)),
            web.post(f"{gitlab}/deployments", self._gitlab(self._gitlab_deployment)),
            web.put(f"{gitlab}/deployments/{{number}}", self._gitlab(self._gitlab_deployment_end)),
        ]

    def _github(self, take: Callable[[web.Request, dict[str, Any]], web.Response]) -> Any:
        return self._checked(take, "Authorization", f"Bearer {TOKEN}", ("example", "shop"))

    def _gitlab(self, take: Callable[[web.Request, dict[str, Any]], web.Response]) -> Any:
        return self._checked(take, "PRIVATE-TOKEN", TOKEN, ("example/team/shop",))

    def _checked(
        self, take: Callable[[web.Request, dict[str, Any]], web.Response], header: str, value: str,
        repository: tuple[str, ...],
    ) -> Any:
        async def answer(request: web.Request) -> web.Response:
            if (refused := self.refuse(request)) is not None:
                return refused
            found = tuple(unquote(request.match_info[name]) for name in ("owner", "name", "project")
                          if name in request.match_info)
            if request.headers.get(header) != value or found != repository:
                self.wrong.append(f"{request.path}: {request.headers.get(header)} for {found}")
                return web.json_response({"message": "Bad credentials"}, status=401)
            return take(request, await request.json())

        return answer

    def _unless(self, right: bool, request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if right:
            return None
        self.wrong.append(f"{request.method} {request.path}: {body}")
        return web.json_response({"message": "Validation Failed"}, status=422)

    def _github_status(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        right = (
            len(request.match_info["sha"]) == COMMIT and body["state"] in GITHUB_STATUS
            and len(body["description"]) <= 140 and set(body) <= {"state", "description", "context", "target_url"}
        )
        if (wrong := self._unless(right, request, body)) is not None:
            return wrong
        self.statuses.append({**body, "sha": request.match_info["sha"]})
        return web.json_response({"id": len(self.statuses)}, status=201)

    def _github_deployment(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        right = (
            len(body["ref"]) == COMMIT and body["auto_merge"] is False and body["required_contexts"] == []
            and body["environment"] and isinstance(body["transient_environment"], bool)
            and isinstance(body["production_environment"], bool) and len(body["description"]) <= 140
        )
        return self._unless(bool(right), request, body) or self._made({**body, "states": []})

    def _made(self, deployment: dict[str, Any]) -> web.Response:
        number = len(self.deployments) + 1
        self.deployments[number] = deployment
        return web.json_response({"id": number}, status=201)

    def _github_deployment_status(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        number = int(request.match_info["number"])
        right = number in self.deployments and body["state"] in GITHUB_DEPLOYMENT and set(body) <= {
            "state", "description", "log_url", "environment_url"}
        if (wrong := self._unless(right, request, body)) is not None:
            return wrong
        self.deployments[number]["states"].append(body["state"])
        self.deployments[number]["last"] = body
        return web.json_response({"id": 1}, status=201)

    def _gitlab_status(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        right = len(request.match_info["sha"]) == COMMIT and body["state"] in GITLAB_STATUS and body["ref"]
        if (wrong := self._unless(bool(right), request, body)) is not None:
            return wrong
        if self.statuses and self.statuses[-1]["state"] == body["state"]:   # as GitLab does
            said = f"Cannot transition status via :run from :{body['state']}"
            return web.json_response({"message": said}, status=400)
        self.statuses.append({**body, "sha": request.match_info["sha"]})
        return web.json_response({"id": len(self.statuses)}, status=201)

    def _gitlab_environment(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        right = body["name"] and body["external_url"] and body["tier"] in ("production", "development")
        if (wrong := self._unless(bool(right), request, body)) is not None:
            return wrong
        if any(known["name"] == body["name"] for known in self.environments):
            return web.json_response({"message": {"name": ["has already been taken"]}}, status=400)
        self.environments.append(body)
        return web.json_response({"id": len(self.environments)}, status=201)

    def _gitlab_deployment(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        right = len(body["sha"]) == COMMIT and body["status"] in GITLAB_DEPLOYMENT and body["tag"] is False and all(
            body[name] for name in ("environment", "ref"))
        return self._unless(right, request, body) or self._made({**body, "states": [body["status"]]})

    def _gitlab_deployment_end(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        number = int(request.match_info["number"])
        right = number in self.deployments and body["status"] in GITLAB_DEPLOYMENT and set(body) == {"status"}
        if (wrong := self._unless(right, request, body)) is not None:
            return wrong
        self.deployments[number]["states"].append(body["status"])
        return web.json_response({"id": number})


@asynccontextmanager
async def forge_api() -> AsyncIterator[ForgeApi]:
    """It answers on loopback."""
    made = ForgeApi()
    app = web.Application()
    app.router.add_routes(made.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"   # type: ignore[union-attr]
    try:
        yield made
    finally:
        await runner.cleanup()
