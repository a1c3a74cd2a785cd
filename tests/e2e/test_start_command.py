"""A start command stays as long as its server, or the version before goes on; what need not listen is not waited for;
and whatever keeps an application from answering is told apart. On the running daemon.

What is not to be switched to is pushed all at once, to a branch each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
import pytest_asyncio

from scripts.git_push import Pushed, push
from scripts.local_daemon import LocalDaemon
from scripts.repository import commit, make_repository
from tests.support.developer import APP, Developer, MakeDeveloper, write_start

PROJECT = "foreground"
RUN = "#!/bin/sh\npython3 server.py &\n"
HOOK = "hooks:\n  deploy: |\n    echo migrated\n"
ODD = """\
import os
import socket

kept = []
with socket.create_server(("", int(os.environ["PORT"]))) as server:
    while True:
        connection, _ = server.accept()
        connection.recv(1000)
        connection.sendall(os.environ["ANSWER"].encode())
        kept.append(connection) if os.environ["ANSWER"] == "" and "HANG" in os.environ else connection.close()
"""


def start(command: str, more: str = "") -> str:
    return APP.replace("python3 server.py", command) + more


def files(command: str = "python3 server.py", more: str = "", **written: str) -> dict[str, str]:
    return {"text": "never", ".platform.app.yaml": start(command, more), **written}


ENDS_LATER = "main"
FOREGROUND = ("run the server in the foreground",)
CASES: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    ENDS_LATER: (files("python3 server.py & sleep 1"), FOREGROUND),
    "ends-at-once": (files("sh run.sh", **{"run.sh": RUN}), FOREGROUND),
    "ends-hooked": (files("sh run.sh", HOOK, **{"run.sh": RUN}), FOREGROUND),
    "hangs": (files("HANG=1 ANSWER= python3 odd.py", **{"odd.py": ODD}), ("the connection, and no answer comes",)),
    "closes": (files("ANSWER= python3 odd.py", **{"odd.py": ODD}), ("closes it without an answer",)),
    "no-http": (files("ANSWER=SSH-2.0-x python3 odd.py", **{"odd.py": ODD}), ("what it answers is not HTTP",)),
    "array": (files(more=HOOK, **{".environment": "A=1\nexport A=(1 2)\n"}), (".environment:2", '"(" unexpected')),
    "exit": (files(more=HOOK, **{".environment": "A=1\n\nexit 3\n"}), (".environment:3", "with status 3", "exit 3")),
    "unset": (files(**{".environment": "set -u\nexport B=$NOPE\n"}), (".environment:2", "NOPE: parameter not set")),
}
"""{branch: (what is pushed to it, what is told)}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pushed(daemon: LocalDaemon, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Pushed]:
    """{branch: how its push ended}; on `main` a version is live before."""
    folder = tmp_path_factory.mktemp("foreground") / PROJECT
    await make_repository(folder, write_start(tmp_path_factory.mktemp("start")))
    first = await daemon.push(folder, PROJECT, on_line=lambda _: None)
    assert first.deployed, first.lines
    commits = {}
    for branch, (written, _) in CASES.items():
        for name, text in {".environment": "", **written}.items():
            (folder / name).write_text(text)
        commits[branch] = await commit(folder, branch)
    async with asyncio.TaskGroup() as group:
        tasks = {branch: group.create_task(push(
            folder, daemon.repository_url(PROJECT), daemon.token, branch=branch, commit=made, on_line=lambda _: None,
        )) for branch, made in commits.items()}
    return {branch: task.result() for branch, task in tasks.items()}


@pytest.mark.parametrize("branch", CASES)
async def test_what_does_not_answer_for_long_is_not_switched_to_and_says_why(
    pushed: Mapping[str, Pushed], branch: str,
) -> None:
    text = "\n".join(pushed[branch].lines)
    assert not pushed[branch].deployed
    for said in CASES[branch][1]:
        assert said in text
    assert "must listen on" not in text
    assert "is restarting" not in text
    assert ("which is dash here" in text) == (".environment" in CASES[branch][0])


async def test_the_version_before_goes_on(pushed: Mapping[str, Pushed], daemon: LocalDaemon) -> None:
    assert not pushed[ENDS_LATER].deployed
    assert await Developer(daemon, daemon.directory, PROJECT).page() == (200, "first on main")


async def test_what_stays_though_its_child_listens_is_switched_to_and_a_worker_that_ends_is_told(
    developer: MakeDeveloper,
) -> None:
    me = await developer(PROJECT, files={"text": "child", ".platform.app.yaml": start(
        "python3 server.py; exit 1", "workers:\n  mailer:\n    commands:\n      start: echo no queue; exit 7\n",
    )})
    result = await me.push("child")
    text = "\n".join(result.lines)
    assert result.deployed, text
    assert await me.page("child") == (200, "child on child")
    assert "the start command of the worker app--mailer ended" in text
    assert "with status 7" in text
    assert "| no queue" in text


async def test_what_need_not_listen_is_told_apart(developer: MakeDeveloper) -> None:
    me = await developer(PROJECT, files={
        "public/index.html": "a file", ".platform.app.yaml":
            start("sleep infinity", '  locations:\n    "/": {root: public, index: [index.html]}\n'),
    })
    result = await me.push("files")
    text = "\n".join(result.lines)
    assert result.deployed, text
    assert "serves files" in text
    assert "does not listen" not in text
    assert await me.page("files") == (200, "a file")


async def test_what_needs_its_deploy_hook_first_goes_live(developer: MakeDeveloper) -> None:
    me = await developer(PROJECT, files={".platform.app.yaml": start(
        "test -e data/migrated && exec python3 server.py",
        "mounts:\n  data: {source: local, source_path: data}\nhooks:\n  deploy: touch data/migrated\n",
    )})
    result = await me.push("needs")
    assert result.deployed, result.lines
    assert await me.page("needs") == (200, "first on needs")
