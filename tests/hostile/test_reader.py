"""Configurations that would keep the daemon busy, or make it read what is not the repository's."""

from __future__ import annotations

import asyncio
import base64
import io
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from scripts.git_push import Pushed, push
from scripts.local_daemon import LocalDaemon
from scripts.repository import make_repository
from tests.support.developer import APP, Developer, MakeDeveloper, write_start
from tests.support.git_objects import BLOB, LINK, TREE, bomb, write_commit, write_object, write_tree

PROJECT = "reader"
CONFIG, ROUTES = ".platform.app.yaml", ".platform/routes.yaml"
SECRET = "the-host-says-this"
RULES = APP + "  locations:\n    /:\n      root: a\n      rules:\n"
SLOW = RULES + "".join(f"        '(?i){number}{'[Ā-＀]' * 150}': {{allow: true}}\n" for number in range(400))
"""Small and valid; each of its patterns takes Python some tenths of a second."""
WALL_SECONDS = 240


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mallory(daemon: LocalDaemon, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Developer]:
    folder = tmp_path_factory.mktemp("reader") / PROJECT
    await make_repository(folder, write_start(folder.parent / "start"))
    yield Developer(daemon, folder, PROJECT)
    shutil.rmtree(folder)


async def push_files(mallory: Developer, files: dict[str, str | bytes], more: str = "") -> Pushed:
    """Push a commit of just these files, without a working tree.

    Args:
        more: Path at which there is a symbolic link to `SECRET_FILE`.
    """
    entries: dict[str, tuple[str, bytes]] = {
        path: (BLOB, text.encode() if isinstance(text, str) else text) for path, text in files.items()
    }
    if more:
        entries[more] = (LINK, str(mallory.folder.parent / "secret").encode())
    return await push_commit(mallory, write_commit(mallory.folder, _tree(mallory.folder, entries)))


async def push_commit(mallory: Developer, commit: str) -> Pushed:
    return await push(
        mallory.folder, mallory.daemon.repository_url(PROJECT), mallory.daemon.token, branch="main", commit=commit,
        force=True, on_line=lambda _: None, limit_seconds=WALL_SECONDS, options=("no-wait",),
    )


def _tree(folder: Path, entries: dict[str, tuple[str, bytes]]) -> str:
    names = sorted({path.split("/", 1)[0] for path in entries})
    found = []
    for name in names:
        inner = {path.split("/", 1)[1]: entry for path, entry in entries.items() if path.startswith(f"{name}/")}
        if inner:
            found.append((TREE, name, _tree(folder, inner)))
        else:
            found.append((entries[name][0], name, write_object(folder, "blob", entries[name][1])))
    return write_tree(folder, *sorted(found, key=lambda item: item[1] + ("/" if item[0] == TREE else "")))


def aliases(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return APP + "\n".join(lines) + "\n"


def redirects(count: int) -> dict[str, str | bytes]:
    paths = "".join(f"            ^/(a|aa|aaa)*[x-z{number}]$: {{to: /b, regexp: true}}\n" for number in range(count))
    return {CONFIG: APP, ROUTES: '"https://{default}/":\n    type: upstream\n    upstream: "app:http"\n'
                                 f"    redirects:\n        paths:\n{paths}"}


HOSTILE: dict[str, tuple[Callable[[], dict[str, str | bytes]], str, str]] = {
    #   name                  files                                                       a link  what is told
    "aliases":              (lambda: {CONFIG: aliases(12)}, "", "more than 300,000"),
    "nesting":              (lambda: {CONFIG: APP + "a: " + "[" * 50_000}, "", "error"),
    "long key":             (lambda: {CONFIG: APP + "k" * 1_000_000 + ": 1\n"}, "", "error"),
    "python object":        (lambda: {CONFIG: APP + "x: !!python/object/apply:os.system [id]\n"}, "", "tag"),
    "includes itself":      (lambda: {CONFIG: APP + f"x: !include {CONFIG}\n"}, "", "error"),
    "includes in a circle": (lambda: {CONFIG: APP + "x: !include a.yaml\n", "a.yaml": "!include b.yaml\n",
                                      "b.yaml": "!include a.yaml\n"}, "", "error"),
    "includes the host":    (lambda: {CONFIG: APP + "hooks: {build: !include {type: string, path: /etc/hostname}}\n"},
                             "", "error"),
    "includes above":       (lambda: {CONFIG: APP + "hooks: {build: !include {type: string, path: "
                                              "../../../../../etc/hostname}}\n"}, "", "leads out of the repository"),
    "includes a link":      (lambda: {CONFIG: APP + "hooks: {build: !include {type: string, path: link}}\n"}, "link",
                             "symbolic link"),
    "includes below a link": (lambda: {CONFIG: APP + "hooks: {build: !include {type: string, path: link/x}}\n"}, "link",
                              "symbolic link"),
    "is a link":            (lambda: {"a": "1"}, CONFIG, "symbolic link"),
    "routes are a link":    (lambda: {CONFIG: APP}, ROUTES, "symbolic link"),
    "archive of a link":    (lambda: {CONFIG: APP + "variables: {env: {x: !archive folder}}\n"}, "folder/link",
                             "symbolic link"),
    "a huge file":          (lambda: {CONFIG: APP + "#" * 4_000_000}, "", "may have 4,000,000"),
    "many large files":     (lambda: {CONFIG: APP, **{f".platform/{n}.yaml": str(n) * 3_900_000 for n in range(9)}}, "",
                             "32,000,000 bytes together"),
    "not UTF-8":            (lambda: {CONFIG: APP.encode() + b"x: \xff\n"}, "", "UTF-8"),
    "control characters":   (lambda: {CONFIG: APP + "x: \x1b[31m\n"}, "", "control character"),
    "zero bytes":           (lambda: {CONFIG: APP + "x: \0\n"}, "", "control character"),
    "very many keys":       (lambda: {CONFIG: APP + "".join(f"k{n}: 1\n" for n in range(100_000))}, "", "300 findings"),
    "very many applications": (lambda: {f"a{n}/{CONFIG}": APP for n in range(400)}, "", "error"),
    "very many services":   (lambda: {CONFIG: APP, ".platform/services.yaml": "".join(
                                f"s{n}: {{type: redis:7.2}}\n" for n in range(20_000))}, "", "error"),
    "very many routes":     (lambda: {CONFIG: APP, ROUTES: "".join(
                                f'"https://{{default}}/{n}": {{type: upstream, upstream: "app:http"}}\n'
                                for n in range(20_000))}, "", "at most 300"),
    "very many redirects":  (lambda: redirects(60_000), "", "error"),
    "a long pattern":       (lambda: {CONFIG: RULES + f"        ? '{'a' * 5000}'\n        : {{allow: true}}\n"}, "",
                             "at most 4,000"),
    "a deep pattern":       (lambda: {CONFIG: RULES + f"        ? '{'(' * 1900}{')' * 1900}'\n        : {{}}\n"}, "",
                             "nested too deep"),
    "a counted pattern":    (lambda: {CONFIG: RULES + "        '(a{1,65000}){1,65000}': {allow: true}\n"}, "", "error"),
    "slow patterns":        (lambda: {CONFIG: SLOW}, "", "and was ended"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_configuration_is_refused_with_words(
    daemon: LocalDaemon, mallory: Developer, name: str,
) -> None:
    (mallory.folder.parent / "secret").write_text(f"{SECRET}: x\n")
    make, link, said = HOSTILE[name]
    pushed = await push_files(mallory, make(), link)
    told = "\n".join(pushed.lines)
    assert pushed.status != 0
    assert said in told
    assert "nothing was changed" in told
    assert SECRET not in told
    assert "Traceback" not in told
    assert "incident" not in told
    assert not list((daemon.directory / "var/state/repos/reader.git/refs/heads").glob("*"))
    await looks_well(daemon)


@pytest.mark.parametrize(("depth", "width", "size", "said"), [
    (10, 10, 1, "more than 500,000 files and folders"),      # ten billion files
    (6, 10, 1, "more than 500,000 files and folders"),       # a million
    (20, 2, 1, "more than 500,000 files and folders"),
    (2, 40, 4_000_000, "6,104 MB, at most 4,096 MB"),
    (3_000, 1, 1, "a path of"),
], ids=["billions", "a million", "pairs", "large", "deep"])
async def test_a_tree_that_no_disk_holds_is_refused_with_words(
    daemon: LocalDaemon, mallory: Developer, depth: int, width: int, size: int, said: str,
) -> None:
    free_bytes = shutil.disk_usage(daemon.directory).free
    pushed = await push_commit(mallory, bomb(mallory.folder, depth, width, size))
    told = "\n".join(pushed.lines)
    assert pushed.status != 0
    assert said in told
    assert "hint: " in told
    assert free_bytes - shutil.disk_usage(daemon.directory).free < 1_000_000_000
    await looks_well(daemon)


@pytest.mark.parametrize(("body", "status"), [
    (b"{", 400), (b"[]", 400), (b'"main"', 400), (b"{}", 400), (b"\xff\xfe", 400), (b"[" * 1_000_000, 400),
    (b'{"branch": "main", "paths": {}}', 400), (b'{"branch": "main", "files": {"a": "not base64!"}}', 400),
    (b'{"branch": "main", "listings": {"": {}}}', 400), (b'{"branch": "' + b"x" * 300 + b'"}', 400),
    (b'{"branch": "main"}', 409),
    (b'{"branch": "main", "paths": [' + b'"a",' * 400_000 + b'"a"]}', 409),
])
async def test_a_hostile_offer_for_a_plan_is_told(daemon: LocalDaemon, body: bytes, status: int) -> None:
    async with daemon.session() as session, session.post(
        f"/api/v1/projects/{PROJECT}/plan", data=io.BytesIO(body),
    ) as answer:
        assert answer.status == status
        assert (await answer.json())["what"]


async def looks_well(daemon: LocalDaemon) -> dict[str, Any]:
    async with daemon.session() as session, session.get("/status") as answer:
        assert answer.status == 200
        return dict(await answer.json())


async def test_a_neighbour_notices_nothing_while_hostile_plans_are_made(
    daemon: LocalDaemon, developer: MakeDeveloper,
) -> None:
    """Ten at once: eight wait for one another, two are refused; status and a neighbour's push go on meanwhile."""
    body = {"branch": "main", "paths": [CONFIG], "files": {CONFIG: base64.b64encode(SLOW.encode()).decode()}}
    answers: list[int] = []

    async def plan() -> None:
        async with daemon.session() as session, session.post(
            f"/api/v1/projects/{PROJECT}/plan", json=body,
        ) as answer:
            answers.append(answer.status)

    neighbour = await developer("neighbour")
    async with asyncio.TaskGroup() as group:
        plans = [group.create_task(plan()) for _ in range(10)]
        while len(answers) < 2:
            await asyncio.sleep(0.05)
        assert answers == [429, 429]
        for _ in range(20):
            await looks_well(daemon)
        assert (await neighbour.push()).deployed
        assert (await neighbour.page())[0] == 200
        assert len(answers) < 10, "they are still being made"
        for task in plans:
            task.cancel()


async def test_an_honest_plan_is_made_after_all_that(daemon: LocalDaemon) -> None:
    body = {"branch": "main", "paths": [CONFIG, "server.py"],
            "files": {CONFIG: base64.b64encode(APP.encode()).decode()}, "listings": {"": "a" * 64}}
    async with daemon.session() as session, session.post("/api/v1/projects/headers/plan", json=body) as answer:
        assert answer.status == 200
        lines = (await answer.json())["lines"]
    assert any(line.startswith("app: build (") for line in lines), lines
