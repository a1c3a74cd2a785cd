"""Branches of one project, pushed at the same moment, are whole environments that know nothing of each other."""

from __future__ import annotations

import asyncio

from deployd.environment.naming import machine_name
from deployd.process import run
from scripts.git_push import Pushed
from scripts.git_push import push as git_push
from tests.support.developer import APP, Developer, MakeDeveloper

SERVICES = "db:\n  type: mariadb:11.8\n  disk: 512\ncache:\n  type: redis:8.0\n"
RELATED = APP + "relationships:\n  database: 'db:mysql'\n  redis: 'cache:redis'\n"
BRANCHES = ("left", "right")


async def test_two_branches_side_by_side_have_a_database_each_and_cannot_reach_the_others(
    developer: MakeDeveloper,
) -> None:
    me = await developer("pair", files={".platform.app.yaml": RELATED, ".platform/services.yaml": SERVICES})
    async with asyncio.TaskGroup() as group:
        pushes = [group.create_task(me.push(branch)) for branch in BRANCHES]
    assert all(push.result().status == 0 for push in pushes)
    for branch in BRANCHES:
        assert await me.page(branch) == (200, f"first on {branch}")
        assert await _reaches(me, branch, "database.internal", 3306), "an application reaches its own database"
        assert await _reaches(me, branch, "redis.internal", 6379)

    left, right = [await _address(me, branch, "db") for branch in BRANCHES]
    assert left != right
    assert not await _reaches(me, "left", right, 3306)
    assert not await _reaches(me, "right", left, 3306)
    assert not await _reaches(me, "left", _container(me, "right", "db"), 3306), "nor by name"
    assert await _volumes(me) == {_container(me, branch, "db") + "-data" for branch in BRANCHES}


async def test_a_dozen_branches_pushed_at_once_all_become_live(developer: MakeDeveloper) -> None:
    me = await developer("crowd")
    branches = {f"crowd-{number}": await me.write({"text": f"text {number}"}) for number in range(12)}
    url, token = me.daemon.repository_url(me.project), me.daemon.token

    async def push(branch: str, commit: str) -> Pushed:
        return await git_push(me.folder, url, token, branch=branch, commit=commit, on_line=lambda _: None)

    async with asyncio.TaskGroup() as group:
        pushes = [group.create_task(push(*item)) for item in branches.items()]
    assert all(push.result().deployed for push in pushes), [push.result().lines[-5:] for push in pushes]
    for number, branch in enumerate(branches):
        assert await me.page(branch) == (200, f"text {number} on {branch}")


async def test_the_engines_socket_and_the_daemon_are_out_of_an_applications_reach(developer: MakeDeveloper) -> None:
    me = await developer("pair")
    await me.push("left")
    app = await _app(me, "left")
    seen = await run("docker", "exec", app, "sh", "-c", "ls /var/run/docker.sock; id -u; touch /x; touch /app/x",
                     check=False)
    assert b"/var/run/docker.sock" not in seen.stdout
    assert int(seen.stdout.split()[-1]) >= 2_000_000, "a user of the project's own"
    assert seen.stderr.count(b"Read-only file system") == 2


async def _reaches(me: Developer, branch: str, host: str, port: int) -> bool:
    probe = f"import socket; socket.create_connection(('{host}', {port}), 2)"
    return (await run("docker", "exec", await _app(me, branch), "python3", "-c", probe, check=False)).status == 0


async def _app(me: Developer, branch: str) -> str:
    found = await run(
        "docker", "ps", "--format", "{{.Names}}", "--filter", f"label=deployd={me.daemon.instance}",
        "--filter", f"label=deployd.project={me.project}", "--filter", "label=deployd.role=app",
        "--filter", f"label=deployd.environment={machine_name(branch)}",
    )
    return found.text.splitlines()[0]


def _container(me: Developer, branch: str, service: str) -> str:
    return f"{me.daemon.instance}-{me.project}-{machine_name(branch)}-{service}"


async def _address(me: Developer, branch: str, service: str) -> str:
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return (await run("docker", "inspect", "-f", template, _container(me, branch, service))).text


async def _volumes(me: Developer) -> set[str]:
    found = await run("docker", "volume", "ls", "-q", "--filter", f"label=deployd={me.daemon.instance}",
                      "--filter", f"label=deployd.project={me.project}", "--filter", "label=deployd.role=volume")
    return set(found.text.split())
