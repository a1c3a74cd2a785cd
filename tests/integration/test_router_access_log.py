"""The access log as a real nginx writes it, sorted and turned."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from deployd.ids import EnvironmentId, EnvironmentName, ProjectId
from deployd.project.model import RouteCache
from deployd.release.paths import Places
from deployd.router.control import Router, RouterAbsent, RouterUnanswered
from deployd.router_process.files import ensure_access_log
from deployd.upkeep import access_logs
from deployd.upkeep.access_logs import AccessLogs
from deployd.upkeep.access_tail import AccessTail
from deployd.upkeep.traffic import Traffic
from tests.support.router_stand import Stand, ask, backend, docker, route, router, routes, running_router, stand, unique

__all__ = ["router", "stand"]

WORKERS = 33
"""www-data, in the image."""


async def wait_until(file: Path, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while len(found := await AccessTail(file, 10_000).rest()) < count:
            await asyncio.sleep(0.05)
    return found


async def test_each_environment_has_its_requests_also_over_a_turn_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_logs, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(access_logs, "TURN_BYTES", 2000)
    places = Places(tmp_path / "state", tmp_path / "run")
    files = {name: places.access_log(EnvironmentId.read(f"{name}/main")) for name in ("shop", "blog")}
    for file in files.values():
        file.parent.mkdir(parents=True)
    with running_router() as fresh:
        reopened = 0

        async def reopen() -> None:
            nonlocal reopened
            reopened += 1
            await asyncio.to_thread(
                docker, "exec", fresh.name, "nginx", "-s", "reopen", "-c", str(fresh.places.current / "nginx.conf"),
            )

        logs = AccessLogs(fresh.places.access_log, places, Traffic(), reopen, most_bytes=1_000_000)
        async with fresh.router() as own, backend("shop") as shop, asyncio.TaskGroup() as group:
            for name in files:
                await own.switch(routes(f"{name}/main", "1", route(f"{name}.test", shop.target, cache=RouteCache())))
            task = group.create_task(logs.serve())
            strange = "Referer: http://x/\x22\\\\\\xff\r\nUser-Agent: a\tb\r\n"
            await ask(fresh, "shop.test", "/a%20b?c=%22", headers=strange)
            await ask(fresh, "unknown.test", "/nobody")
            for number in range(40):
                await ask(fresh, "blog.test", f"/{number}", method="POST", body=b"x")
                await asyncio.sleep(0.02)
            blog = await wait_until(files["blog"], 40)
            async with asyncio.timeout(30):
                while not reopened or fresh.places.access_log.with_suffix(".old").exists():
                    await asyncio.sleep(0.05)
            await ask(fresh, "blog.test", "/last")
            assert (await wait_until(files["blog"], 41))[-1]["path"] == "/last"
            task.cancel()
    [first] = await wait_until(files["shop"], 1)
    assert (first["path"], first["status"], first["client"]) == ("/a%20b?c=%22", 200, "127.0.0.1")
    assert (first["user_agent"], first["cache"]) == ("a\tb", "MISS")
    assert {item["path"] for item in blog} == {f"/{number}" for number in range(40)}   # workers write in turn
    assert len(blog) == 40
    assert {(item["method"], item["cache"]) for item in blog} == {("POST", "BYPASS")}
    assert "nobody" not in str([first, blog])


async def test_held_requests_and_the_routers_pages_are_in_it_too(
    stand: Stand, router: Router, tmp_path: Path,
) -> None:
    environment, host = unique("pages")
    places = Places(tmp_path / "state", tmp_path / "run")
    file = places.access_log(EnvironmentId(ProjectId(environment.split("/")[0]), EnvironmentName("main")))
    file.parent.mkdir(parents=True)
    logs = AccessLogs(stand.places.access_log, places, Traffic(), lambda: asyncio.sleep(0), most_bytes=1_000_000)
    async with backend("shop") as shop, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        await router.freeze(environment, 0.3)
        await ask(stand, host, "/held")
        await router.thaw(environment)
        await ask(stand, host, "/thawed")
        task = group.create_task(logs.serve())
        found = await wait_until(file, 2)
        task.cancel()
    assert [(item["path"], item["status"]) for item in found] == [("/held", 503), ("/thawed", 200)]
    assert found[0]["seconds"] >= 0.2
    assert "Permission denied" in docker("run", "--rm", "--user", "nobody", "-v", f"{stand.places.folder}:/seen",
                                         "deployd/router:1", "ls", "/seen/logs", check=False)


async def test_nginx_can_be_tested_reloaded_and_started_again_after_a_turn_of_the_log() -> None:
    with running_router() as fresh:
        log = fresh.places.access_log
        log.rename(log.with_suffix(".old"))
        ensure_access_log(log)
        docker("kill", "--signal", "USR1", fresh.name)
        async with asyncio.timeout(10):
            while log.stat().st_uid != WORKERS:   # nginx gives it to its workers
                await asyncio.sleep(0.05)
        configuration = str(fresh.places.current / "nginx.conf")
        docker("exec", fresh.name, "nginx", "-t", "-q", "-c", configuration)
        docker("restart", fresh.name)
        async with fresh.router() as router:
            async with asyncio.timeout(10):
                while True:
                    try:
                        await router.complete()
                        break
                    except (RouterAbsent, RouterUnanswered):
                        await asyncio.sleep(0.05)
            assert (await ask(fresh, "nobody.test")).status == 404
