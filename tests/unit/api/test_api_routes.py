"""The API over real sockets: who may ask what, what is answered, and what goes wrong."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import jsonschema
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from deployd.access.caller import Caller
from deployd.access.tokens import caller_of, find_token
from deployd.activity.masking import Masker
from deployd.api import bodies
from deployd.api.applications import Public, public_application
from deployd.api.openapi import openapi
from deployd.api.resources.mails import MESSAGE
from deployd.api.routes import ROUTES
from deployd.engine.errors import EngineUnreachable
from deployd.errors import DeployError
from deployd.http.callers import Callers
from deployd.output.sources import OutputFilter
from deployd.settings import Token
from tests.doubles.api import FakeCommands, FakeQueries, activity, api_of, ending, line, use

Client = TestClient[web.Request, web.Application]
TOKENS = [
    Token.model_validate({"name": "ada", "role": "admin", "secret": "secret-of-ada"}),
    Token.model_validate({"name": "vera", "role": "viewer", "secret": "secret-of-vera"}),
    Token.model_validate({"name": "carl", "role": "contributor", "secret": "secret-of-carl", "projects": ["blog"]}),
]
ADA = {"Authorization": "Bearer secret-of-ada"}
VERA = {"Authorization": "Bearer secret-of-vera"}
CARL = {"Authorization": "Bearer secret-of-carl"}
REDEPLOY = "/api/v1/projects/shop/environments/main/redeploy"
ROLLBACK = "/api/v1/projects/shop/environments/main/rollback"


@pytest.fixture
def queries() -> FakeQueries:
    known = [activity(1), activity(2, "blog"), activity(3, state="in_progress"), activity(4, state="failed")]
    return FakeQueries(known, {1: [line(1, "composer install"), ending(2)], 3: [line(1, "composer install")]})


@pytest.fixture
def commands(queries: FakeQueries) -> FakeCommands:
    return FakeCommands(queries)


@pytest_asyncio.fixture
async def client(queries: FakeQueries, commands: FakeCommands) -> AsyncIterator[Client]:
    def find(authorization: str | None) -> Caller | None:
        token = find_token(TOKENS, authorization)
        return caller_of(token) if token else None

    async def git(_: web.Request) -> web.Response:
        raise web.HTTPNotFound(text="no such repository")

    masker = Masker(["geheim-123"])
    app = public_application(
        api_of(queries, commands), [web.get("/git/{name}", git)], Public(Callers(find), mask=masker.mask),
    )
    with capture_logs():
        async with TestClient(TestServer(app)) as opened:
            yield opened


async def get(client: Client, path: str, headers: Mapping[str, str] = ADA) -> tuple[int, Any]:
    async with client.get(path, headers=headers) as answer:
        return answer.status, await answer.json()


async def post(
    client: Client, path: str, body: Any = None, headers: Mapping[str, str] = ADA, data: bytes | None = None,
) -> tuple[int, Any]:
    sent = data if data is not None else b"" if body is None else json.dumps(body).encode()
    async with client.post(path, headers=headers, data=sent) as answer:
        return answer.status, await answer.json()


async def test_alive_and_ready_need_no_token(client: Client, queries: FakeQueries) -> None:
    assert await get(client, "/healthz", {}) == (200, {"alive": True})
    assert await get(client, "/readyz", {}) == (200, {"ready": True, "reasons": []})
    queries.reasons = ("Docker does not answer",)
    assert await get(client, "/readyz", {}) == (503, {"ready": False, "reasons": ["Docker does not answer"]})
    assert (await get(client, "/healthz", {}))[0] == 200


async def test_a_status_shows_environments_only_to_those_who_may_see_them(client: Client) -> None:
    def seen(status: Any) -> list[str]:
        return [item["project"] for item in status["environments"]]

    assert seen((await get(client, "/status", {}))[1]) == []
    assert seen((await get(client, "/status", {"Authorization": "Bearer wrong"}))[1]) == []
    assert seen((await get(client, "/status"))[1]) == ["shop", "blog"]
    assert seen((await get(client, "/status", CARL))[1]) == ["blog"]
    assert seen((await get(client, "/status?environments=0"))[1]) == []


async def test_reasons_name_environments_only_to_those_who_may_see_all(client: Client, queries: FakeQueries) -> None:
    queries.reasons = ("shop/main-bvxea6i: app does not run",)
    assert (await get(client, "/status"))[1]["reasons"] == ["shop/main-bvxea6i: app does not run"]
    for headers in ({}, CARL):
        assert (await get(client, "/status", headers))[1]["reasons"] == ["a reason without names"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic !"}])
async def test_without_a_known_token_nothing_is_told(client: Client, headers: Mapping[str, str]) -> None:
    async with client.get("/api/v1/projects", headers=headers) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="deployd"'
        told = await answer.json()
    assert told["code"] == "unauthorized"
    assert ("is not known" in told["what"]) is bool(headers), "a wrong one is told apart from none"


async def test_a_token_is_also_taken_as_the_password_of_anybody(client: Client) -> None:
    basic = base64.b64encode(b"whoever:secret-of-vera").decode()
    assert (await get(client, "/api/v1/projects", {"Authorization": f"Basic {basic}"}))[0] == 200


async def test_a_viewer_changes_nothing(client: Client, commands: FakeCommands) -> None:
    status, told = await post(client, REDEPLOY, headers=VERA)
    assert (status, told["code"], told["what"]) == (403, "forbidden", "vera is a viewer, and this needs a contributor")
    assert commands.asked == []


async def test_projects_of_others_are_not_there(client: Client, commands: FakeCommands) -> None:
    assert [item["id"] for item in (await get(client, "/api/v1/projects", CARL))[1]["items"]] == ["blog"]
    assert [item["id"] for item in (await get(client, "/api/v1/activities", CARL))[1]["items"]] == [2]
    assert (await get(client, "/api/v1/activities?project=shop", CARL))[1]["items"] == []
    assert (await get(client, "/api/v1/environments?project=shop", CARL))[1]["items"] == []
    assert [item["host"] for item in (await get(client, "/api/v1/certificates", CARL))[1]["items"]] == ["blog.test"]
    for path in ("/api/v1/activities/1", "/api/v1/activities/1/log", "/api/v1/activities/1/journal"):
        assert (await get(client, path, CARL))[0] == 404
    for path in (REDEPLOY, ROLLBACK, "/api/v1/activities/3/cancel"):
        assert (await post(client, path, headers=CARL))[0] == 404
    assert (await post(client, "/api/v1/projects/shop/plan", {"branch": "main"}, CARL))[0] == 404
    assert commands.asked == []


async def test_a_limit_counts_only_what_the_caller_may_see(client: Client) -> None:
    """The newest activity of all is of another project."""
    found = (await get(client, "/api/v1/activities?limit=1", CARL))[1]["items"]
    assert [item["id"] for item in found] == [2]


async def test_activities_are_narrowed_down(client: Client) -> None:
    async def ids(query: str) -> list[int]:
        return [item["id"] for item in (await get(client, f"/api/v1/activities?{query}"))[1]["items"]]

    assert await ids("") == [4, 3, 2, 1]
    assert await ids("project=blog") == [2]
    assert await ids("environment=main&limit=2") == [4, 3]
    assert await ids("state=failed") == [4]


@pytest.mark.parametrize("path", [
    "/api/v1/activities?limit=many", "/api/v1/activities?limit=-1", "/api/v1/activities?state=bogus",
    "/api/v1/activities/" + "9" * 5000, "/api/v1/activities/1/log?after=x", "/api/v1/activities?limit=٣",
])
async def test_parameters_that_mean_nothing_are_refused(client: Client, path: str) -> None:
    status, told = await get(client, path)
    assert (status, told["code"]) == (400, "unusable")


async def test_what_is_not_there_is_said_as_json(client: Client) -> None:
    status, told = await get(client, "/api/v1/nothing")
    assert (status, told["code"], told["what"]) == (404, "not-found", "there is nothing at /api/v1/nothing")
    async with client.delete("/api/v1/projects", headers=ADA) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        assert (await answer.json())["what"] == "/api/v1/projects does not take DELETE"


async def test_git_answers_in_words_that_git_knows(client: Client) -> None:
    async with client.get("/git/shop.git") as answer:
        assert (answer.status, await answer.text()) == (404, "no such repository")


async def test_a_bug_has_a_name_that_is_in_the_log_too(client: Client, queries: FakeQueries) -> None:
    queries.bug = ZeroDivisionError("a secret of the inside")
    with capture_logs() as logs:
        status, told = await get(client, "/api/v1/projects")
    incident = logs[0]["incident"]
    assert (status, told["code"]) == (500, "incident")
    assert told["what"] == f"an error of deployd itself (incident {incident})"
    assert "secret" not in json.dumps(told)


async def test_a_refusal_is_told_whole(client: Client, commands: FakeCommands) -> None:
    commands.refusal = DeployError("nothing is live in main", where="main", evidence=("a", "b"), hint="push it")
    assert await post(client, REDEPLOY) == (409, {
        "code": "deploy-error", "what": "nothing is live in main", "where": "main", "hint": "push it",
        "evidence": ["a", "b"],
    })


async def test_what_may_go_well_later_is_told_apart_from_a_refusal(client: Client, commands: FakeCommands) -> None:
    commands.refusal = EngineUnreachable("Docker does not answer")
    assert (await post(client, REDEPLOY))[0] == 503


async def test_entry_points_answer_with_an_activity(client: Client, commands: FakeCommands) -> None:
    status, made = await post(client, REDEPLOY)
    assert (status, made["kind"], made["state"]) == (202, "redeploy", "pending")
    assert (await post(client, ROLLBACK, {"to": 1}))[0] == 202
    assert (await post(client, ROLLBACK))[0] == 202
    assert (await post(client, "/api/v1/activities/3/cancel"))[0] == 202
    assert (await post(client, "/api/v1/activities/3/undo/retry"))[0] == 202
    assert (await post(client, "/api/v1/activities/3/undo/skip"))[0] == 202
    assert commands.asked == [
        ("redeploy", "shop", "main", "ada"), ("rollback", "shop", "main", 1, "ada"),
        ("rollback", "shop", "main", None, "ada"), ("cancel", 3, "ada"),
        ("retry_undo", 3), ("skip_undo", 3, "ada"),
    ]


@pytest.mark.parametrize("data", [
    b"{", b"[]", b"null", b"\xff", b'{"to": "x"}', b'{"to": 0}', b'{"to": true}', b'{"to": 1e99}', b'{"two": 2}',
])
async def test_a_body_that_means_nothing_is_refused(client: Client, commands: FakeCommands, data: bytes) -> None:
    status, told = await post(client, ROLLBACK, data=data)
    assert (status, told["code"]) == (400, "unusable")
    assert told["evidence"]
    assert commands.asked == []


async def test_a_body_that_is_too_large_is_not_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGEST_BYTES", 1000)
    status, told = await post(client, ROLLBACK, data=b'{"to": ' + b" " * 2000 + b"1}")
    assert (status, told["code"]) == (413, "too-large")


async def test_a_plan_takes_a_working_tree(client: Client, commands: FakeCommands) -> None:
    body = {"branch": "main", "files": {".platform.app.yaml": base64.b64encode(b"name: app").decode()},
            "paths": [".platform.app.yaml", "x"], "listings": {"": "abc"}}
    assert await post(client, "/api/v1/projects/shop/plan", body, VERA) == (
        200, {"project": "shop", "branch": "main", "lines": ["app: build (no slug yet)"]})
    offered = commands.asked[0][3]
    assert offered.files == {".platform.app.yaml": b"name: app"}
    assert set(offered.paths) == {".platform.app.yaml", "x"}
    assert (await post(client, "/api/v1/projects/shop/plan", {**body, "files": {"x": "é"}}))[0] == 400
    assert (await post(client, "/api/v1/projects/shop/plan", {**body, "branch": ""}))[0] == 400


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 202),
                                              ("none", 202)])
async def test_pages_of_other_sites_change_nothing(client: Client, site: str, status: int) -> None:
    assert (await post(client, REDEPLOY, headers={**ADA, "Sec-Fetch-Site": site}))[0] == status
    assert (await get(client, "/api/v1/projects", {**ADA, "Sec-Fetch-Site": site}))[0] == 200


async def test_a_log_is_lines_of_json(client: Client, queries: FakeQueries) -> None:
    async with client.get("/api/v1/activities/1/log", headers=ADA) as answer:
        assert answer.content_type == "application/x-ndjson"
        assert [json.loads(raw)["text"] for raw in (await answer.text()).splitlines()] == [
            "composer install", "push of main: success"]
    async with client.get("/api/v1/activities/1/log?after=1&follow=1", headers=ADA) as answer:
        assert [json.loads(raw)["number"] for raw in (await answer.text()).splitlines()] == [2]
    assert queries.closed == 2


async def test_the_log_of_a_running_activity_does_not_wait_unless_it_is_followed(client: Client) -> None:
    async with client.get("/api/v1/activities/3/log", headers=ADA) as answer:
        assert len((await answer.text()).splitlines()) == 1


async def test_a_followed_log_goes_on_until_its_end(client: Client, queries: FakeQueries) -> None:
    async with client.get("/api/v1/activities/3/log?follow=1", headers=ADA) as answer:
        assert json.loads(await answer.content.readline())["number"] == 1
        assert await answer.content.readline() == b"\n"   # a heartbeat
        queries.logs[3] += [line(2, "done"), ending(3)]
        rest = [raw for raw in (await answer.read()).splitlines() if raw]
    assert [json.loads(raw)["number"] for raw in rest] == [2, 3]
    assert queries.closed == 1


async def test_every_answer_is_as_the_document_describes_it(client: Client) -> None:
    document = (await get(client, "/api/v1/openapi.json", {}))[1]
    again = "/api/v1/projects/{project}/environments/{environment}/push-again"
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
    bodies_of: dict[str, Any] = {
        "/api/v1/projects/{project}/plan": {"branch": "main"}, "/api/v1/people": {"id": "anna"}, again: {"push": 1},
        "/api/v1/people/{person}/tokens": {"label": "laptop"},
        "/api/v1/people/{person}/tokens/remove": {"label": "laptop"},
        "/api/v1/people/{person}/keys": {"label": "laptop", "key": key},
        "/api/v1/people/{person}/keys/remove": {"label": "laptop"},
        "/api/v1/projects/{project}/environments/{environment}/operations/run": {"operation": "clear"},
        "/api/v1/projects/{project}/environments/{environment}/source-operations/run": {"operation": "update"},
        "/api/v1/tickets/{ticket}/approve": {"digest": "d" * 32},
    }
    asked = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            url = path.format(
                id=1, project="shop", environment="main", person="anna", ticket=1, variable="env:COLOUR",
            )
            data = json.dumps(bodies_of.get(path, {})) if method in ("post", "put") else None
            async with client.request(method, url, headers=ADA, data=data) as answer:
                if answer.content_type == "text/event-stream":   # test_api_events.py
                    asked.add(f"{method.upper()} {path}")
                    continue
                described = operation["responses"][str(answer.status)]["content"][answer.content_type]["schema"]
                texts = (await answer.text()).splitlines() if "ndjson" in answer.content_type else [await answer.text()]
            for text in texts:
                value = text if answer.content_type in ("text/plain", MESSAGE) else json.loads(text)
                jsonschema.validate(value, {**described, "components": document["components"]})
            asked.add(f"{method.upper()} {path}")
    assert asked == {f"{route.method} {route.path}" for route in ROUTES}
    _, told = await get(client, "/api/v1/activities/77")
    jsonschema.validate(told, {"$ref": "#/components/schemas/ErrorShape", "components": document["components"]})


def test_the_document_names_role_and_parameters() -> None:
    paths = openapi(ROUTES, "1")["paths"]
    log = paths["/api/v1/activities/{id}/log"]["get"]
    assert [(item["name"], item["in"]) for item in log["parameters"]] == [
        ("id", "path"), ("after", "query"), ("follow", "query"), ("Last-Event-ID", "header")]
    assert log["x-role"] == "viewer"
    assert paths["/healthz"]["get"]["security"] == []


async def test_metrics_name_environments_only_with_a_token_that_sees_them(client: Client) -> None:
    pages = []
    for headers in ({}, CARL, ADA):
        async with client.get("/metrics", headers=headers) as answer:
            assert (answer.status, answer.content_type) == (200, "text/plain")
            pages.append(await answer.text())
    assert ["shop" in page for page in pages] == [False, False, True]
    assert ["blog" in page for page in pages] == [False, True, True]
    assert all("deployd_activities" in page for page in pages)


async def test_an_access_log_is_read_by_who_sees_the_project(client: Client, queries: FakeQueries) -> None:
    queries.logs[0] = [{"number": 0, "path": "/x", "kind": "end"}]
    url = "/api/v1/projects/shop/environments/main/access-log"
    for follow in ("0", "1"):
        async with client.get(f"{url}?lines=5&follow={follow}", headers=VERA) as answer:
            assert json.loads(await answer.content.readline())["path"] == "/x"
    assert (await get(client, url, CARL))[0] == 404
    assert (await get(client, url.replace("main", "nothing"), ADA))[0] == 404
    assert (await get(client, f"{url}?lines=x", ADA))[0] == 400


async def test_what_containers_print_is_read_by_who_sees_the_project(client: Client, queries: FakeQueries) -> None:
    queries.printed = [{"time": "2026-05-04T10:00:00.5Z", "text": "x"}]
    url = "/api/v1/projects/shop/environments/main/logs"
    for follow in ("0", "1"):
        async with client.get(f"{url}?follow={follow}", headers=VERA) as answer:
            assert json.loads(await answer.content.readline())["text"] == "x"
    assert (await get(client, url, CARL))[0] == 404
    assert (await get(client, url.replace("main", "nothing"), ADA))[0] == 404


@pytest.mark.parametrize(("query", "asked"), [
    ("", (OutputFilter(), "", 100)), ("lines=99999999", (OutputFilter(), "", 10_000)),
    ("app=shop&worker=m&service=db&cron=n&version=7&lines=5", (OutputFilter("shop", "m", "db", "n", 7), "", 5)),
    ("since=2026-05-04T12:00:00%2B02:00", (OutputFilter(), "2026-05-04T10:00:00", None)),
    ("since=2026-05-04&lines=9", (OutputFilter(), "2026-05-04T00:00:00", 9)),
    ("after=2026-05-04T10:00:00.123456789Z", (OutputFilter(), "2026-05-04T10:00:00.123456789\0", None)),
])
async def test_output_is_asked_for_by_name_and_place(
    client: Client, queries: FakeQueries, query: str, asked: tuple[OutputFilter, str, int | None],
) -> None:
    async with client.get(f"/api/v1/projects/shop/environments/main/logs?{query}", headers=VERA) as answer:
        assert await answer.read() == b""
    assert queries.asked_output == [asked]


async def test_what_is_used_is_told_to_who_sees_the_project(client: Client, queries: FakeQueries) -> None:
    queries.used = [[use(name, project=name) for name in ("shop", "blog")]]
    assert [item["project"] for item in (await get(client, "/api/v1/usage", ADA))[1]["items"]] == ["shop", "blog"]
    assert [item["project"] for item in (await get(client, "/api/v1/usage", CARL))[1]["items"]] == ["blog"]
    assert (await get(client, "/api/v1/usage?project=shop&environment=main", VERA))[0] == 200
    assert (await get(client, "/api/v1/usage?project=shop&environment=nothing", VERA))[0] == 404
    assert (await get(client, "/api/v1/usage?project=shop", CARL))[0] == 404
    assert (await get(client, "/api/v1/usage?environment=main", ADA))[0] == 400


@pytest.mark.parametrize("query", [
    "since=x", "since=0001-01-01T00:00:00%2B14:00", "after=x", "after=2026-05-04T10:00:00Z%0A", "lines=-1", "version=x",
])
async def test_what_is_no_place_is_told(client: Client, query: str) -> None:
    assert (await get(client, f"/api/v1/projects/shop/environments/main/logs?{query}", VERA))[0] == 400


async def test_a_reader_who_takes_nothing_any_more_is_cut_off(
    client: Client, queries: FakeQueries, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deployd.http.slow_readers.MOST_SECONDS", 0.05)
    queries.printed = [{"time": "2026-05-04T10:00:00.5Z", "text": "x" * 20_000_000}]
    async with client.get("/api/v1/projects/shop/environments/main/logs?follow=1", headers=VERA) as answer:
        while not queries.closed:
            await asyncio.sleep(0.01)
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


@pytest.mark.parametrize("path", [REDEPLOY, ROLLBACK, "/api/v1/activities/3/cancel", "/api/v1/collect"])
async def test_a_password_that_browsers_remember_changes_nothing(
    client: Client, commands: FakeCommands, path: str,
) -> None:
    basic = base64.b64encode(b"whoever:secret-of-ada").decode()
    status, told = await post(client, path, {}, {"Authorization": f"Basic {basic}"})
    assert (status, told["code"]) == (403, "forbidden")
    assert commands.asked == []


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Referer": "http://evil.example/", "Authorization": ""},
    {"Host": "evil.example", "Origin": "http://evil.example"},
])
@pytest.mark.parametrize("path", [REDEPLOY, "/hooks/github/shop", "/git/shop.git/git-receive-pack", "/nothing"])
async def test_no_route_takes_what_another_sites_page_sends(
    client: Client, commands: FakeCommands, path: str, headers: dict[str, str],
) -> None:
    status, told = await post(client, path, {}, {**ADA, **headers})
    assert (status, told["code"]) in [(403, "forbidden"), (421, "misdirected")]
    assert commands.asked == []


async def test_who_guesses_tokens_waits_and_others_do_not(client: Client) -> None:
    guess = {"Authorization": "Bearer a-guess"}
    seen = [(await get(client, "/api/v1/projects", guess))[0] for _ in range(15)]
    assert seen == [401] * 11 + [429] * 4
    async with client.get("/status", headers=VERA) as answer:
        assert answer.status == 429, "right, and never seen from this address: who guesses must not learn it"
        assert 1 <= int(answer.headers["Retry-After"]) <= 300
        assert (await answer.json())["code"] == "too-many-tries"
    assert (await get(client, "/healthz", {}))[0] == 200
    there = {"X-Forwarded-For": "192.0.2.9"}
    assert (await get(client, "/api/v1/projects", {**VERA, **there}))[0] == 200


async def test_a_token_that_was_right_here_before_is_let_in_whoever_guesses(client: Client) -> None:
    assert (await get(client, "/api/v1/projects", VERA))[0] == 200
    for number in range(15):
        await get(client, "/api/v1/projects", {"Authorization": f"Bearer guess-{number}"})
    assert (await get(client, "/api/v1/projects", VERA))[0] == 200
    assert (await get(client, "/api/v1/projects", ADA))[0] == 429


async def test_errors_say_no_secret(client: Client, commands: FakeCommands) -> None:
    evidence = ("| geheim-123",)
    commands.refusal = DeployError("cannot fetch with geheim-123", evidence=evidence, where="geheim-123", hint="m")
    status, told = await post(client, REDEPLOY)
    assert (status, told["what"], told["where"]) == (409, "cannot fetch with ***", "***")
    assert told["evidence"] == ["| ***"]
