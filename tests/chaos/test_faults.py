"""What does not end, does not begin, writes for ever or has no room: each deployment ends with a sentence that says so,
visitors see what they saw before, and the next push goes well.

One daemon for all of it, whose whole directory lies on a small disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployd.process import run
from scripts.local_daemon import LocalDaemon
from scripts.removal import left_behind, remove_all
from scripts.repository import make_repository
from tests.support.developer import APP, SERVER, Developer
from tests.support.forge import SECRET, deliver, push_to_forge
from tests.support.waiting_hooks import Records, crowd, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
DISK_MB = 250
HOOK_SECONDS = 4
MOUNTS = "mounts: {data: {source: local, source_path: data}}\n"
MakeMe = Callable[..., Coroutine[Any, Any, Developer]]


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A folder on a small disk."""
    image = Path(tempfile.mkdtemp(prefix="deployd-disk-"))
    folder = image / "disk"
    folder.mkdir()
    with (image / "image").open("wb") as file:
        file.truncate(DISK_MB * 1_000_000)
    os.system(f"mkfs.ext4 -q -m 0 {image / 'image'} && mount -o loop {image / 'image'} {folder}")
    assert folder.is_mount()
    yield folder
    os.system(f"umount {folder} && rm -r {image}")
    assert not image.exists()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        while await reader.read(1000):
            pass
    writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(disk: Path) -> AsyncIterator[LocalDaemon]:
    directory = disk / "d"
    hanging = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    remote = {"forge": "github", "webhook_secrets": [SECRET]}
    silent = f"http://127.0.0.1:{hanging.sockets[0].getsockname()[1]}/me/forge.git"
    daemon = LocalDaemon(
        directory,
        {"shop": {}, "forge": {"remote": {"url": f"file://{directory}/forge.git", **remote}},
         "hangs": {"remote": {"url": silent, **remote}}},
        instance=f"test-faults-{os.urandom(3).hex()}",
        settings={"answer_seconds": 5, "hook_limit_seconds": HOOK_SECONDS, "min_free_disk_mb": 20},
    )
    try:
        await daemon.start(limit_seconds=300)
        yield daemon
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
        hanging.close()
    assert await left_behind(daemon.instance, directory) == []


@pytest.fixture
async def make_me(daemon: LocalDaemon, tmp_path: Path) -> MakeMe:
    """A developer whose first version is live, and which stays so whatever is pushed."""
    async def make(project: str = "shop", **files: str) -> Developer:
        source = tmp_path / "source"
        source.mkdir()
        for name, text in {".platform.app.yaml": APP + MOUNTS, "text": "fine", "server.py": SERVER, **files}.items():
            (source / name).write_text(text)
        await make_repository(tmp_path / "tree", source)
        me = Developer(daemon, tmp_path / "tree", project)
        if project == "shop":
            assert (await me.push()).deployed
            assert await me.page() == (200, "fine on main")
        return me
    return make


async def refused(me: Developer, hooks: str, *says: str) -> None:
    """Push a version with these hooks, which ends badly: it says so, and visitors notice nothing."""
    await me.write({".platform.app.yaml": APP + MOUNTS + hooks, "text": "bad"})
    async with crowd(me) as seen:
        pushed = await me.push()
    assert not pushed.deployed, pushed
    said = "\n".join(pushed.lines)
    assert all(text in said for text in says), said
    assert {(answer.status, answer.body) for answer in seen} <= {(200, "fine on main")}
    assert await me.page() == (200, "fine on main")
    assert await containers_of(me) == 2, "those of the version that is live"


async def containers_of(me: Developer) -> int:
    found = await run("docker", "ps", "-aq", "--filter", f"label=deployd={me.daemon.instance}",
                      "--filter", f"label=deployd.project={me.project}")
    return len(found.text.split())


def processes_with(text: str) -> int:
    """How many processes of this host have it in their command line."""
    count = 0
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            count += text.encode() in entry.read_bytes().replace(b"\0", b" ")
    return count


async def test_a_hook_that_never_ends_is_ended_with_all_that_it_started(make_me: MakeMe) -> None:
    me = await make_me()
    number = 900_000 + os.getpid() % 90_000
    await refused(
        me, f"hooks: {{deploy: 'echo begun; setsid sleep {number} & sleep {number} & sleep {number}'}}\n",
        f"the deploy hook of app was still running after {HOOK_SECONDS} s and was ended", "| begun",
        ".platform.app.yaml:", "hint: see what it waits for",
    )
    assert processes_with(f"sleep {number}") == 0


async def test_a_post_deploy_hook_that_never_ends_is_ended_and_the_version_stays(make_me: MakeMe) -> None:
    me = await make_me()
    number = 800_000 + os.getpid() % 90_000
    await me.write({".platform.app.yaml": APP + f"hooks: {{post_deploy: 'sleep {number}'}}\n", "text": "new"})
    pushed = await me.push()
    assert not pushed.deployed
    assert "the post-deploy hook of app was still running" in "\n".join(pushed.lines)
    assert await me.page() == (200, "new on main")
    assert processes_with(f"sleep {number}") == 0


async def test_a_hook_that_leaves_something_behind_ends_all_the_same(make_me: MakeMe) -> None:
    me = await make_me()
    hook = "hooks: {deploy: 'setsid sh -c \"while sleep 0.2; do echo on; done\" & echo done'}\n"
    await me.write({".platform.app.yaml": APP + hook, "text": "new"})
    assert (await me.push()).deployed
    assert await me.page() == (200, "new on main")


async def test_an_application_that_never_answers_is_taken_back(make_me: MakeMe) -> None:
    me = await make_me()
    await me.write({"server.py": "import time\ntime.sleep(10000)\n"})
    await refused(me, "hooks: {deploy: 'true'}\n", "app does not answer", "hint:")


async def test_a_build_that_does_not_listen_to_signals_can_be_cancelled(make_me: MakeMe) -> None:
    me, number = await make_me(), 700_000 + os.getpid() % 90_000
    build = f"hooks: {{build: 'trap \"\" TERM INT HUP; echo deaf; while :; do sleep 1 {number}; done'}}\n"
    await me.write({".platform.app.yaml": APP + build, "text": "bad"})
    assert (await me.push(options=("no-wait",))).status == 0
    activity = Records(me.daemon).newest("shop")[0]
    await until(lambda: has_said(me, activity, "deaf"), "the build runs")
    async with me.daemon.session() as session, session.post(f"/api/v1/activities/{activity}/cancel") as answer:
        assert answer.status == 202
    assert (await Records(me.daemon).end(activity))[0] == "cancelled"
    assert processes_with(str(number)) == 0
    assert await containers_of(me) == 2


async def test_a_build_that_writes_for_ever_has_a_log_with_an_end(make_me: MakeMe) -> None:
    me = await make_me()
    pid = me.daemon.running()
    await refused(
        me, "hooks: {build: 'yes \"$(seq 200 | tr -d \"\\n\")\" | head -c 75000000; echo; exit 3'}\n",
        "ended with exit code 3", "was not kept",
    )
    log = me.daemon.directory / f"var/state/logs/{Records(me.daemon).newest('shop')[0]}.jsonl"
    assert log.stat().st_size < 65_000_000
    assert me.daemon.running() == pid


async def test_an_application_that_dies_after_the_switch_is_told_and_comes_back(make_me: MakeMe) -> None:
    me = await make_me()
    app = APP.replace("start: python3 server.py", "start: '! test -e data/dead && exec python3 server.py'") + MOUNTS
    await me.write({".platform.app.yaml": app, "text": "mortal"})
    assert (await me.push()).deployed
    [container] = (await run("docker", "ps", "-q", "--filter", f"label=deployd={me.daemon.instance}",
                             "--filter", "label=deployd.role=app")).text.split()
    await run("docker", "exec", container, "sh", "-c", "touch data/dead; kill -TERM $(pidof python3)")
    await until(lambda: degraded(me, "the app container of app ended"), "told on /status")
    assert (await me.page())[0] in (502, 503)
    next(me.daemon.directory.glob("var/state/environments/shop/*/volumes/app/data/dead")).unlink()
    await until(lambda: shows(me, "mortal on main"), "it is back")


async def test_a_service_that_crashes_in_a_loop_takes_nothing_down(make_me: MakeMe) -> None:
    me = await make_me()
    services = {".platform/services.yaml": "cache:\n  type: redis:8.0\n"}
    app = APP.replace("web:", "relationships: {cache: 'cache:redis'}\nweb:", 1)
    await me.write({**services, ".platform.app.yaml": app, "text": "with cache"})
    assert (await me.push()).deployed
    service = (await run("docker", "ps", "-q", "--filter", f"label=deployd={me.daemon.instance}",
                         "--filter", "label=deployd.role=service")).text
    for _ in range(3):
        await run("docker", "kill", service)
        await until(lambda: runs(service), "it is started again")
    await until(lambda: degraded(me, "the service container of cache ended"), "told on /status")
    assert await me.page() == (200, "with cache on main")
    await me.write({"text": "again"})
    assert (await me.push()).deployed


async def test_a_remote_that_hangs_holds_up_nobody_else(make_me: MakeMe) -> None:
    me = await make_me()
    status, answer = await deliver(me, "a" * 40, project="hangs")
    assert status == 202, answer
    await Records(me.daemon).entry(answer["activity"], "fetch", "started")
    await me.write({"text": "other"})
    assert (await me.push()).deployed
    cancel = f"/api/v1/activities/{answer['activity']}/cancel"
    async with me.daemon.session() as session, session.post(cancel) as cancelled:
        assert cancelled.status == 202
    assert (await Records(me.daemon).end(answer["activity"]))[0] == "cancelled"


async def test_a_build_that_fills_the_disk_leaves_room_again(make_me: MakeMe) -> None:
    me = await make_me()
    build = "hooks: {build: 'head -c 1G /dev/zero > big'}\n"
    await refused(me, build, "No space left on device", "ended with exit code")
    await me.write({".platform.app.yaml": APP + MOUNTS, "text": "fits"})
    assert (await me.push()).deployed


async def test_nothing_is_promised_on_a_full_disk_and_all_goes_on_when_there_is_room(make_me: MakeMe) -> None:
    me = await make_me("forge")
    daemon, disk = me.daemon, me.daemon.directory.parent
    commit = await push_to_forge(me, "first")
    first = await deliver(me, commit)
    assert await Records(daemon).end(first[1]["activity"]) == ("success", "")
    pid, taken, answers = daemon.running(), [], []
    async with crowd(me) as seen:
        began = time.monotonic()
        while 503 not in answers:   # the daemon has some room kept back: what it promises with that is kept
            assert time.monotonic() - began < 60, answers
            fill(disk)
            status, answer = await deliver(me, f"{len(answers) + 1:040x}", ref=f"refs/heads/b{len(answers)}")
            answers.append(status)
            taken += [answer["activity"]] if "activity" in answer else []   # over its share it is told so
        assert set(answers) <= {202, 503}
        pushed = await Developer(daemon, me.folder, "shop").push("crowded")
        assert pushed.status != 0, pushed
        assert "cannot take a push to shop" in "\n".join(pushed.lines), pushed
        await asyncio.sleep(2)
        assert daemon.running() == pid
        (disk / "filler").unlink()
        commit = await push_to_forge(me, "second")
        status, answer = await deliver(me, commit)
        assert status == 202
        assert await Records(daemon).end(answer["activity"]) == ("success", "")
    assert {answer.body for answer in seen} <= {"first on main", "second on main"}
    assert {answer.status for answer in seen} == {200}
    assert await me.page() == (200, "second on main")
    for number in taken:
        assert (await Records(daemon).end(number))[0] in ("failed", "superseded"), "their branches are not there"
    assert daemon.running() == pid
    with closing(sqlite3.connect(f"file:{Records(daemon).path}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def fill(disk: Path) -> None:
    """Write until nothing more goes, to the last byte."""
    with (disk / "filler").open("ab", buffering=0) as filler, contextlib.suppress(OSError):
        for size in (1_000_000, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(size))
        os.fsync(filler.fileno())


async def has_said(me: Developer, activity: int, text: str) -> bool:
    log = me.daemon.directory / f"var/state/logs/{activity}.jsonl"
    return log.exists() and f'"{text}"' in log.read_text()


async def degraded(me: Developer, reason: str) -> bool:
    async with me.daemon.session() as session, session.get("/status") as answer:
        return any(reason in text for text in (await answer.json())["reasons"])


async def shows(me: Developer, text: str) -> bool:
    return await me.page() == (200, text)


async def runs(container: str) -> bool:
    return (await run("docker", "inspect", "-f", "{{.State.Running}}", container)).text == "true"
