"""Mounts whose folders their application moves away, replaces by links, makes deep: never a way to the host.

On the running daemon: a push whose hooks and application do it, restarts by Docker itself, further pushes that mount
what was prepared; then the host, the neighbour's files and what each container has mounted are looked at.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from deployd import process
from deployd.confined.beneath import NotBeneath, open_folder
from deployd.confined.mountinfo import read_mounts
from deployd.confined.stages import Folder, ensure_staged, ensure_unstaged
from deployd.confined.trees import ensure_owner, remove_tree, size_of
from deployd.engine.docker.engine import Engine
from deployd.engine.names import instance_labels
from scripts.local_daemon import LocalDaemon
from tests.support.developer import Developer, MakeDeveloper

pytestmark = pytest.mark.asyncio(loop_scope="session")
OTHER = 2_000_777
SERVER = """\
import os, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        command = self.headers.get("X-Run", "true")
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
        body = (done.stdout + done.stderr).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if command == "exit":
            threading.Timer(0.2, os._exit, [1]).start()

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
"""
"""A shell for whoever asks, with the application's rights."""
APP = """\
name: app
type: python:3.13
web:
  commands:
    start: python3 server.py
mounts:
  whole: {{source: local, source_path: ""}}
  data: {{source: local, source_path: data}}
  store: {{source: service, service: files, source_path: ""}}
  inner: {{source: service, service: files, source_path: data}}
  temporary: {{source: tmp, source_path: ""}}
  cache: {{source: tmp, source_path: data}}
{more}
"""
SERVICES = "files:\n  type: network-storage:2.0\n  disk: 256\n"
PAIRS = {"whole": "data", "store": "inner", "temporary": "cache"}
"""{a mount that holds all of a volume: the mount whose folder `data` lies in there}"""
FILES = {"server.py": SERVER, ".platform/services.yaml": SERVICES}


async def run(developer: Developer, command: str) -> str:
    """What a command says that runs in the application's container."""
    url = URL(developer.daemon.url(developer.project, "main", "/"))
    async with aiohttp.ClientSession() as session, session.get(
        url.with_host("127.0.0.1"), headers={"Host": url.authority, "X-Run": command},
    ) as answer:
        return await answer.text()


async def app_container(daemon: LocalDaemon, project: str) -> Any:
    async with Engine() as engine:
        (found,) = await engine.containers(instance_labels(daemon.instance, project=project, role="app"))
        return await engine.container(found.name)


def host_roots(pid: int) -> dict[str, str]:
    """{where a container has something mounted: what of the host's file system it is}"""
    found = {}
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        found[fields[4]] = fields[3]
    return found


@pytest.fixture
async def neighbours_file(daemon: LocalDaemon, developer: MakeDeveloper) -> Path:
    """A 0600 file in a mount of the neighbour, who is live."""
    text = APP.format(more="hooks: {deploy: 'umask 077; echo of-the-neighbour >data/private'}")
    other = await developer("neighbour", {".platform.app.yaml": text, **FILES})
    pushed = await other.push()
    assert pushed.deployed, pushed.lines
    (found,) = daemon.directory.glob("var/state/environments/neighbour/*/volumes/app/data/private")
    return found


async def test_links_in_mounts_lead_nowhere(
    daemon: LocalDaemon, developer: MakeDeveloper, neighbours_file: Path,
) -> None:
    """A.2, with one push and with two, and with Docker's own restarts."""
    made = await developer("mounts", {".platform.app.yaml": APP.format(more=""), **FILES})
    pushed = await made.push()
    assert pushed.deployed, pushed.lines
    (volumes,) = daemon.directory.glob("var/state/environments/mounts/*/volumes")
    before = {path: os.lstat(path).st_uid for path in (volumes, neighbours_file, Path("/root"), Path("/etc/passwd"))}

    # Swapped while it is live; Docker starts the container again without asking us.
    for target in ("/", "/root", "/etc", str(neighbours_file.parent), "/var/run", "/proc/1/root"):
        for whole in PAIRS:
            said = await run(made, f"cd {whole} && rm -rf old; mv data old; ln -s {target} data; readlink data")
            assert said == f"{target}\n"
        seen = await app_container(daemon, "mounts")
        await run(made, "exit")
        async with asyncio.timeout(60):
            while (again := await app_container(daemon, "mounts")) is None or again.pid in (None, seen.pid):
                await asyncio.sleep(0.1)
        roots, own = host_roots(again.pid), str(daemon.directory / "var/state/environments/mounts")
        for whole, data in PAIRS.items():
            assert roots[f"/app/{data}"] == f"{roots[f'/app/{whole}']}/old", "the folder that it was, where it is now"
            assert roots[f"/app/{data}"].startswith(own)
        async with asyncio.timeout(60):
            while (await made.page())[0] != 200:
                await asyncio.sleep(0.2)
        for whole, data in PAIRS.items():
            listed = await run(made, f"ls -la {data} {whole}/data/; cat {data}/private {whole}/data/private")
            assert "of-the-neighbour" not in listed
            await run(made, f"cd {whole} && rm data && mv old data")

    # A second push that mounts what the first has prepared.
    await run(made, f"cd whole && ln -s / rootfs; ln -s {neighbours_file.parent} link; mkdir real; ln -s /etc real/in")
    for path in ("rootfs", "link", "rootfs/etc", "real/in", "link/../../.."):
        more = f"  stolen: {{source: local, source_path: '{path}'}}"
        await made.write({".platform.app.yaml": APP.format(more=more)})
        pushed = await made.push()
        assert not pushed.deployed, pushed.lines
        assert not [line for line in pushed.lines if "incident" in line or str(daemon.directory) in line], pushed.lines
        if ".." not in path:
            assert [line for line in pushed.lines if "cannot have the mount stolen of app" in line
                    and ".platform.app.yaml:" in line], pushed.lines
        assert (await made.page())[0] == 200, "the version before goes on"
    assert {path: os.lstat(path).st_uid for path in before} == before
    assert stat.S_IMODE(neighbours_file.stat().st_mode) == 0o600


async def test_every_project_is_another_user(daemon: LocalDaemon, developer: MakeDeveloper) -> None:
    uids = set()
    for project in ("mounts", "neighbour"):
        made = await developer(project, {".platform.app.yaml": APP.format(more=""), **FILES})
        assert (await made.push()).deployed
        said = await run(made, "id -u; id -un; id -gn; stat -c %u /app/data /app/whole /app/server.py /home/web")
        uid, name, group, *owners = said.split()
        assert (name, group) == ("web", "web")
        assert set(owners) == {uid}, "its mounts, its code and its home are its own"
        home = await run(made, "python3 -c 'import os, pwd; print(pwd.getpwuid(os.getuid()).pw_dir)'")
        assert home == "/app\n"
        uids.add(uid)
        for path in daemon.directory.glob(f"var/state/environments/{project}/*/volumes/app"):
            assert os.lstat(path).st_uid == int(uid)
    assert len(uids) == 2
    assert not uids & {"0", "10000"}


async def test_a_tree_of_a_thousand_levels_is_measured_and_removed(
    daemon: LocalDaemon, developer: MakeDeveloper,
) -> None:
    made = await developer("mounts", {".platform.app.yaml": APP.format(more=""), **FILES})
    assert (await made.push("deep")).deployed
    deep = "import os\nos.chdir('/app/data')\nfor n in range(20000):\n os.mkdir('d'); os.chdir('d')"
    more = f"hooks:\n  deploy: python3 -c \"{_escaped(deep)}\""
    await made.write({".platform.app.yaml": APP.format(more=more)})
    pushed = await made.push("deep")
    assert pushed.deployed, pushed.lines
    (data,) = daemon.directory.glob("var/state/environments/mounts/deep-*/volumes/app")
    assert await size_of(data) > 0
    assert (await made.push("deep", delete=True)).status == 0
    async with asyncio.timeout(120):
        while data.exists():
            await asyncio.sleep(0.2)


def _escaped(text: str) -> str:
    return "exec(bytes.fromhex('" + text.encode().hex() + "'))"


@pytest.mark.parametrize("path", ["a/../../b", "..", "a/..", "link", "link/x", "file", "file/x", "pipe", "\0"])
async def test_a_stage_leads_out_of_its_folder_on_no_way(tmp_path: Path, path: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    (root / "file").touch()
    os.mkfifo(root / "pipe")
    with pytest.raises(NotBeneath):
        await ensure_staged(tmp_path / "stage", [Folder(root, path)], OTHER)
    assert os.listdir(outside) == []
    assert not [item for item in read_mounts() if tmp_path in item.path.parents]


@pytest.mark.parametrize("path", ["link", "link/x", "file", "file/x", "../outside/x", "pipe"])
async def test_what_others_are_mounted_on_is_made_in_its_own_mount_and_nowhere_else(tmp_path: Path, path: str) -> None:
    root, outside, stage = tmp_path / "root", tmp_path / "outside", tmp_path / "stage"
    (root / "outer").mkdir(parents=True)
    outside.mkdir()
    (root / "outer/link").symlink_to(outside)
    (root / "outer/file").touch()
    os.mkfifo(root / "outer/pipe")
    try:
        with pytest.raises(NotBeneath) as caught:
            await ensure_staged(stage, [Folder(root, "other"), Folder(root, "outer", (path,))], OTHER)
        assert (caught.value.number, caught.value.held) == (1, path)
        assert os.listdir(outside) == []
        await ensure_unstaged(stage)
        await ensure_staged(stage, [Folder(root, "outer", ("a/b",))], OTHER)
        assert (root / "outer/a/b").stat().st_uid == OTHER
    finally:
        await ensure_unstaged(stage)


async def test_a_stage_stays_what_it_was_when_its_folder_is_moved_replaced_or_removed(tmp_path: Path) -> None:
    root, stage, secret = tmp_path / "root", tmp_path / "stage", tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    try:
        (place,) = await ensure_staged(stage, [Folder(root, "a/b")], OTHER)
        (place / "mine").touch()
        (root / "a").rename(root / "moved")
        (root / "a").symlink_to(secret)
        assert await ensure_staged(stage, [Folder(root, "a/b")], OTHER) == (place,)
        assert os.listdir(place) == ["mine"]
        (root / "a").unlink()
        shutil.rmtree(root / "moved" / "b")
        assert await ensure_staged(stage, [Folder(root, "a/b")], OTHER) == (place,)
        (place / "new").touch()
        assert os.listdir(root / "a" / "b") == ["new"], "one that was removed is made again"
        assert (root / "a" / "b").stat().st_uid == OTHER
    finally:
        await ensure_unstaged(stage)
    assert not stage.exists()
    assert os.listdir(secret) == ["key"]


async def test_a_link_that_is_swapped_in_all_the_time_is_never_staged(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "a").mkdir(parents=True)
    outside.mkdir()
    (outside / "key").touch()
    done = threading.Event()

    def race() -> None:
        (root / "link").symlink_to(outside)
        while not done.is_set():
            for first, second in (("a", "away"), ("link", "a"), ("a", "link"), ("away", "a")):
                with suppress(OSError):
                    os.rename(root / first, root / second)

    thread = threading.Thread(target=race)
    thread.start()
    staged = 0
    try:
        for number in range(300):
            stage = tmp_path / f"stage{number}"
            with suppress(NotBeneath, FileNotFoundError, OSError):
                (place,) = await ensure_staged(stage, [Folder(root, "a/inner")], OTHER)
                staged += 1
                assert "key" not in os.listdir(place.parent)
            await ensure_unstaged(stage)
    finally:
        done.set()
        thread.join()
    assert staged > 0, "some tries must come through, or this shows nothing"
    assert os.listdir(outside) == ["key"]
    assert outside.stat().st_uid == 0


async def test_giving_a_tree_away_follows_no_link_and_takes_any_depth(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "key").touch()
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "link").symlink_to(outside)
    (tree / "a" / "file-link").symlink_to(outside / "key")
    held = os.open(tree, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=held)
        inner = os.open("d", os.O_RDONLY, dir_fd=held)
        os.close(held)
        held = inner
    os.close(held)
    assert await ensure_owner(tree, OTHER)
    assert not await ensure_owner(tree, OTHER), "there is nothing left to do"
    assert (tree.stat().st_uid, (tree / "link").lstat().st_uid) == (OTHER, OTHER)
    assert {outside.stat().st_uid, (outside / "key").stat().st_uid} == {0}
    assert await size_of(tree) >= 3_000 * 4096
    await remove_tree(tree)
    assert not tree.exists()
    assert os.listdir(outside) == ["key"]


async def test_what_is_made_for_a_tenant_is_his_and_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    os.chown(tmp_path / "there", 12_345, 12_345)
    with open_folder(tmp_path, "there/new/inner", make_for=OTHER):
        pass
    owners = [(tmp_path / name).stat().st_uid for name in ("there", "there/new", "there/new/inner")]
    assert owners == [12_345, OTHER, OTHER]


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\x0bb", "a\u2028b\x85c".encode(), b"a\\134 b\n\t - c", b"a - b\r"])
async def test_a_folder_that_is_renamed_hides_no_mount(tmp_path: Path, name: bytes) -> None:
    """In mounts of its own: what everybody else on this host reads is not to be spoiled when this fails."""
    done = await process.run(
        "unshare", "--mount", "--propagation", "private", sys.executable, "-c", RENAME, str(tmp_path), name.hex(),
        cwd=Path(__file__).parents[2],
    )
    assert done.text.split() == ["staged", "seen", "gone"]


async def test_a_folder_that_is_moved_where_docker_cannot_read_it_is_unmounted(tmp_path: Path) -> None:
    done = await process.run(
        "unshare", "--mount", "--propagation", "private", sys.executable, "-c", DEEP, str(tmp_path),
        cwd=Path(__file__).parents[2],
    )
    assert done.text.split() == ["75000", "1", "shallow", "gone"]
    await remove_tree(tmp_path / "root")


DEEP = """\
import asyncio, os, sys
from pathlib import Path
from deployd.confined.mountinfo import read_mounts
from deployd.confined.stages import Folder, ensure_none_deep, ensure_staged, ensure_unstaged, staged
root, stages = Path(sys.argv[1]) / "root", Path(sys.argv[1]) / "stages"
places = asyncio.run(ensure_staged(stages / "1", [Folder(root, ""), Folder(root, "data")], 2_000_777))
held = whole = os.open(places[0], os.O_RDONLY)
for _ in range(300):
    os.mkdir("d" * 250, dir_fd=held)
    held = os.open("d" * 250, os.O_RDONLY, dir_fd=held)
os.rename("data", "data", src_dir_fd=whole, dst_dir_fd=held)
longest = lambda: max(item.folder_bytes for item in read_mounts())
print(longest() // 1000 * 1000)
print(len(asyncio.run(ensure_none_deep(stages))))
if set(staged(read_mounts(), stages)) == {places[0]} and not places[1].exists() and longest() < 4096:
    print("shallow")
asyncio.run(ensure_unstaged(stages / "1"))
if not (stages / "1").exists():
    print("gone")
"""
RENAME = """\
import asyncio, os, sys
from pathlib import Path
from deployd.confined.mountinfo import read_mounts
from deployd.confined.stages import Folder, ensure_staged, ensure_unstaged, staged
root, stage = Path(sys.argv[1]) / "root", Path(sys.argv[1]) / "stage"
places = asyncio.run(ensure_staged(stage, [Folder(root, ""), Folder(root, "data")], 2_000_777))
print("staged")
os.rename(places[0] / "data", os.fsencode(places[0]) + b"/" + bytes.fromhex(sys.argv[2]))
if set(staged(read_mounts(), stage)) == set(places):
    print("seen")
asyncio.run(ensure_unstaged(stage))
if not stage.exists():
    print("gone")
"""
