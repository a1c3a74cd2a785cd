"""Into an environment over SSH, with the clients that people have: ssh, scp, sftp, rsync, and a database's own."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployd.process import Output, Process, open_process, run
from scripts.local_daemon import LocalDaemon, free_port
from scripts.repository import make_repository
from tests.support.developer import Developer, write_start
from tests.support.intake_stand import developer_environment
from tests.support.ssh_stand import make_key

pytestmark = pytest.mark.slow
END_SECONDS = 60.0
APP = """\
name: app
type: python:3.13
relationships: {database: "db:mysql"}
disk: 256
mounts:
  uploads: {source: local, source_path: uploads}
web: {commands: {start: python3 server.py}}
workers:
  queue: {commands: {start: sleep infinity}}
"""
FILES = {
    ".platform.app.yaml": APP, ".platform/services.yaml": "db: {type: 'mariadb:11.8', disk: 256}\n",
    ".platform/routes.yaml": "https://{default}/: {type: upstream, upstream: 'app:http'}\n",
    ".environment": "export SET_THERE=yes\necho noise\n",
}


@dataclass
class Person:
    """Somebody with a key, and their clients."""

    name: str
    key: Path
    daemon: LocalDaemon
    folder: Path

    @property
    def options(self) -> list[str]:
        known = self.folder / "known_hosts"
        return ["-F", "none", "-i", str(self.key), "-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={known}",
                "-o", "BatchMode=yes"]

    def ssh(self, user: str, *words: str) -> list[str]:
        return ["ssh", *self.options, "-p", str(self.daemon.ssh_port), "-l", user, "127.0.0.1", *words]

    async def do(self, *words: str, user: str = "main.inside", stdin: bytes | None = None) -> Output:
        return await run(*self.ssh(user, *words), stdin=stdin, check=False, env=developer_environment())

    async def said(self, *words: str, user: str = "main.inside") -> str:
        return (await self.do(*words, user=user)).text

    async def run(self, program: str, *words: str, stdin: bytes | None = None) -> Output:
        """scp or sftp."""
        return await run(program, *self.options, "-P", str(self.daemon.ssh_port), *words, stdin=stdin, check=False,
                         env=developer_environment())


@dataclass
class Stage:
    daemon: LocalDaemon
    folder: Path
    me: Developer

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        async with self.daemon.session() as session, session.request(method, path, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def person(self, name: str, roles: dict[str, str]) -> Person:
        key = self.folder / f"key-{name}"
        if not key.exists():
            make_key(key)
            await self.ask("POST", "/api/v1/people", {"id": name, "name": name, "roles": roles})
            body = {"label": "laptop", "key": key.with_suffix(".pub").read_text()}
            await self.ask("POST", f"/api/v1/people/{name}/keys", body)
        return Person(name, key, self.daemon, self.folder)

    async def ada(self) -> Person:
        return await self.person("inge", {"inside": "contributor"})

    async def deeds(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask("GET", "/api/v1/audit?project=inside&limit=200"))["items"]
        return [deed for deed in found if deed["by"].startswith("ssh, key ")]

    async def container(self, part: str = "app-app") -> str:
        names = (await run("docker", "ps", "--format", "{{.Names}}")).text.split()
        return next(name for name in names if name.startswith(f"{self.daemon.instance}-inside-main") and part in name)

    async def until_gone(self, words: str) -> None:
        """No process with these words is left in the application's container."""
        container = await self.container()
        async with asyncio.timeout(END_SECONDS):
            while words in (await run("docker", "top", container, "-eo", "pid,args")).text:
                await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(daemon: LocalDaemon, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("inside")
    for project in ("inside", "beside"):
        repository = folder / project
        await make_repository(repository, write_start(folder / f"start-{project}", FILES))
        me = Developer(daemon, repository, project)
        assert (await me.push()).deployed
    made = Stage(daemon, folder, Developer(daemon, folder / "inside", "inside"))
    async with asyncio.timeout(END_SECONDS):
        while (there := await made.ask("GET", "/api/v1/ssh"))["state"] != "listening":
            await asyncio.sleep(0.1)
    (folder / "known_hosts").write_text(there["keys"][0]["known_hosts"].replace("localhost", "127.0.0.1") + "\n")
    yield made


async def test_a_command_finds_what_the_application_finds(stage: Stage) -> None:
    me = await stage.ada()
    done = await me.do("echo $SET_THERE $PLATFORM_BRANCH $USER $HOME; pwd; id -un; echo bad >&2; exit 7")
    assert (done.status, done.text) == (7, "yes main web /app\n/app\nweb")
    assert done.stderr.decode().splitlines() == ["noise", "bad"], "what `.environment` prints is no output"
    assert (await me.do("no-such-program")).status == 127
    assert (await me.do("/app/text")).status == 126
    assert (await me.do("kill -9 $$")).status == 137
    assert "start" in await me.said("tr '\\0' ' ' </proc/1/cmdline", user="main.inside--queue")
    data = os.urandom(3_000_000)
    assert (await me.do("cat >uploads/half; cmp - /dev/null <uploads/half", stdin=data)).status == 1
    assert (await me.do("cat uploads/half")).stdout == data[-1_000_000:]
    assert await me.said("wc -c <uploads/half; rm uploads/half") == "3000000"


async def test_a_shell_without_a_terminal_does_what_it_reads(stage: Stage) -> None:
    done = await (await stage.ada()).do("-T", stdin=b"echo $SET_THERE; exit 5\n")
    assert (done.status, done.text) == (5, "yes")


@asynccontextmanager
async def terminal(me: Person, *words: str) -> AsyncIterator[Terminal]:
    """ssh on a terminal of its own, as in a window."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *me.ssh("main.inside", *words), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env=developer_environment() | {"TERM": "xterm-256color"}, preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    window = Terminal(ours, process)
    try:
        yield window
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        os.close(ours)


@dataclass
class Terminal:
    window: int
    process: asyncio.subprocess.Process
    seen: str = ""

    async def until(self, words: str) -> str:
        """Everything that was shown since the last call, up to some words."""
        async with asyncio.timeout(END_SECONDS):
            while words not in self.seen:
                with suppress(BlockingIOError, OSError):
                    self.seen += os.read(self.window, 65_536).decode(errors="replace")
                await asyncio.sleep(0.02)
        shown, _, self.seen = self.seen.partition(words)
        return shown

    def type(self, text: str) -> None:
        os.write(self.window, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        ioctl(self.window, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.killpg(self.process.pid, signal.SIGWINCH)


async def test_a_shell_on_a_terminal_its_size_ctrl_c_and_its_end(stage: Stage) -> None:
    async with terminal(await stage.ada()) as window:
        window.type("PS1='$ '; echo rea''dy $TERM $SET_THERE; stty size\n")
        await window.until("ready xterm-256color yes\r\n31 97\r\n")
        window.resize(21, 77)
        async with asyncio.timeout(END_SECONDS):
            while True:
                window.type("echo size''d $(stty size)\n")
                await window.until("sized ")
                if (await window.until("\r\n")) == "21 77":
                    break
        window.type("sleep 4321; echo status $?\n")
        await stage_runs(stage, "sleep 4321")
        window.type("\x03")
        await window.until("^C")
        window.type("echo status $?\n")
        await window.until("status 130\r\n")
        window.type("exit 9\n")
        assert await window.process.wait() == 9


async def stage_runs(stage: Stage, words: str) -> None:
    container = await stage.container()
    async with asyncio.timeout(END_SECONDS):
        while words not in (await run("docker", "top", container, "-eo", "pid,args")).text:
            await asyncio.sleep(0.1)


async def test_a_client_that_vanishes_leaves_nothing_behind(stage: Stage) -> None:
    me = await stage.ada()
    async with open_process(*me.ssh("main.inside", "sleep 1234 & nohup sleep 2345 & sleep 3456")) as client:
        await stage_runs(stage, "sleep 3456")
        os.kill(client.pid, signal.SIGKILL)
        await client.wait()
        for number in ("1234", "2345", "3456"):
            await stage.until_gone(f"sleep {number}")
    async with asyncio.timeout(END_SECONDS):
        while not any("was left" in deed["said"] for deed in await stage.deeds()):
            await asyncio.sleep(0.1)


async def test_files_reach_the_mounts_and_nothing_else(stage: Stage) -> None:
    me, big = await stage.ada(), stage.folder / "big"
    big.write_bytes(os.urandom(50_000_000))
    there = "main.inside@127.0.0.1:"
    assert (await me.run("scp", str(big), f"{there}uploads/big")).status == 0
    assert (await me.run("scp", f"{there}uploads/big", str(stage.folder / "back"))).status == 0
    assert (stage.folder / "back").read_bytes() == big.read_bytes()
    refused = await me.run("scp", str(big), f"{there}code")
    assert refused.status == 1
    assert "code cannot be changed: the code is read-only, and the mounts are /app/uploads" in refused.stderr.decode()
    old = await me.run("scp", "-O", str(big), f"{there}code")
    assert b"Read-only file system" in old.stderr
    batch = f"cd uploads\nput {big} again\nrename again moved\nls -l moved\nrm moved\n".encode()
    listed = await me.run("sftp", "-b", "-", "main.inside@127.0.0.1", stdin=batch)
    assert re.search(r"50000000 .* moved", listed.text), listed
    tree = stage.folder / "tree"
    (tree / "with space").mkdir(parents=True)
    (tree / "with space" / "é$x;`id`").write_text("kept")
    over = f"ssh {' '.join(me.options)} -p {me.daemon.ssh_port}"
    for source, target in ((f"{tree}/", f"{there}uploads/tree/"), (f"{there}uploads/tree/", f"{stage.folder}/copy/")):
        assert (await run("rsync", "-rt", "-e", over, source, target, check=False)).status == 0
    assert (stage.folder / "copy" / "with space" / "é$x;`id`").read_text() == "kept"
    code = await run("rsync", "-rt", "-e", over, f"{tree}/", f"{there}code/", check=False)
    assert code.status == 11, "an error of files; rsync may end before it has shown what the other end said"
    assert any(deed["action"] == "sftp over" and "1 written: uploads/big" in deed["said"].replace("/app/", "")
               for deed in await stage.deeds())


@asynccontextmanager
async def tunnelled(me: Person, to: str) -> AsyncIterator[tuple[int, Process]]:
    """(a port here that leads there, ssh)"""
    port = free_port()
    forward = ["-N", "-L", f"127.0.0.1:{port}:{to}"]
    async with open_process(*me.ssh("main.inside", *forward)) as client:
        async with asyncio.timeout(END_SECONDS):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield port, client
        client.end()


async def test_a_tunnel_leads_to_the_environments_own_database_only(stage: Stage) -> None:
    me = await stage.ada()
    encoded = await me.said("echo $PLATFORM_RELATIONSHIPS | base64 -d")
    found = json.loads(encoded)["database"][0]
    async with tunnelled(me, "database.internal:3306") as (port, _):
        done = await run(
            "docker", "run", "--rm", "--network", "host", "--env", f"MYSQL_PWD={found['password']}",
            "deployd/mariadb:11.8", "mariadb", "--host=127.0.0.1", f"--port={port}", f"--user={found['username']}",
            "--batch", "--skip-column-names", f"--execute=SELECT 40+2, '{'x' * 100_000}'", found["path"],
        )
        assert done.text.startswith("42\txxx")
        assert len(done.text) > 100_000
    beside = (await run("docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
                        f"{stage.daemon.instance}-beside-{await machine_of(stage)}-db")).text
    for to in (f"{beside}:3306", "database.internal:22", "127.0.0.1:22", "169.254.169.254:80", "app:80"):
        async with tunnelled(me, to) as (port, client):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b""
            writer.close()
            said = (await client.stderr.readline()).decode()
            assert "no tunnel of main of inside leads to" in said
    assert {deed["result"] for deed in await stage.deeds() if "169.254" in deed["said"]} == {"refused"}


async def machine_of(stage: Stage) -> str:
    environments = (await stage.ask("GET", "/api/v1/environments?project=inside"))["items"]
    return str(environments[0]["name"])


async def test_the_command_line_knows_the_way(stage: Stage) -> None:
    me = await stage.ada()
    home = stage.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_bytes(me.key.read_bytes())
    (home / ".ssh" / "id_ed25519").chmod(0o600)
    bin_folder = home / "bin"
    bin_folder.mkdir()
    (bin_folder / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F none -i {me.key} -o IdentitiesOnly=yes "$@"\n')
    (bin_folder / "ssh").chmod(0o755)
    env = {**developer_environment(), "HOME": str(home), "DEPLOYD_URL": stage.daemon.api,
           "DEPLOYD_TOKEN": stage.daemon.token, "PATH": f"{bin_folder}:{os.environ['PATH']}"}

    async def deployd(*words: str, stdin: bytes | None = None) -> Output:
        program = (stage.daemon.program.python, "-m", "deployd")
        return await run(*program, *words, cwd=stage.daemon.program.folder, env=env, stdin=stdin, check=False)

    done = await deployd("ssh", "inside", "main", "--", "printf", "%s|", "two words", "$HOME")
    assert (done.status, done.text) == (0, "two words|$HOME|"), done.stderr.decode()
    assert (await deployd("ssh", "inside", "main", "exit 3")).status == 3
    assert (await deployd("sql", "inside", "main", stdin=b"SELECT 40+2;")).text.split() == ["40+2", "42"]
    assert "there is: app, app--queue" in (
        await deployd("ssh", "--part", "nobody", "inside", "main", "true")).stderr.decode()
    (home / "files").mkdir()
    (home / "files" / "a b").write_text("kept")
    assert (await deployd("mount", "upload", "inside", "main", str(home / "files"), "uploads/cli")).status == 0
    assert (await deployd("mount", "download", "inside", "main", "/app/uploads/cli", str(home / "back"))).status == 0
    assert (home / "back" / "a b").read_text() == "kept"
    assert (await deployd("mount", "upload", "inside", "main", str(home / "files"), "src")).status == 5
    port = free_port()
    opening = (stage.daemon.program.python, "-m", "deployd", "tunnel", "--port", str(port), "inside", "main")
    async with open_process(*opening, env=env, cwd=stage.daemon.program.folder):
        async with asyncio.timeout(END_SECONDS):
            while True:
                with suppress(OSError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    greeting = await reader.read(30)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        assert b"MariaDB" in greeting


async def test_who_may_not_come_in_is_told_why(stage: Stage) -> None:
    me, viewer = await stage.ada(), await stage.person("vic", {"inside": "viewer"})
    stranger = await stage.person("otto", {"beside": "admin"})
    for person, user, said in (
        (viewer, "main.inside", "vic is a viewer of inside, and this needs a contributor"),
        (stranger, "main.inside", "there is no project inside"),
        (me, "gone.inside", "the project inside has no environment gone"),
        (me, "main.inside--none", "there is no application and no worker none"),
        (me, "../x.inside", "nobody is called ../x.inside here"),
        (await stage.person("guard", {"guarded": "contributor"}), "main.guarded",
         "guard is contributor of guarded, and main takes approver for SSH"),
    ):
        if user == "main.guarded":
            repository = stage.folder / "guarded"
            await make_repository(repository, write_start(stage.folder / "start-guarded"))
            assert (await Developer(stage.daemon, repository, "guarded").push()).deployed
        done = await person.do("true", user=user)
        assert (done.status, said in done.stderr.decode()) == (1, True), done.stderr.decode()
    deeds = [(deed["who"], deed["action"], deed["result"]) for deed in await stage.deeds()]
    assert ("vic", "command", "refused") in deeds


async def test_what_a_client_sends_along_changes_nothing(stage: Stage) -> None:
    me = await stage.ada()
    names = ("LD_PRELOAD=/tmp/x.so", "BASH_ENV=/tmp/x", "PATH=/tmp", "LC_ALL=../../tmp", "LANG=C.UTF-8", "HOME=/tmp")
    sent = [word for name in names for word in ("-o", f"SetEnv={name}")]
    found = await run(
        "ssh", *me.options, *sent, "-p", str(stage.daemon.ssh_port), "main.inside@127.0.0.1",
        "echo $LANG,$LD_PRELOAD,$BASH_ENV,$LC_ALL,$HOME;"
        " tr '\\0' '\\n' </proc/self/environ | grep -c x.so", check=False,
    )
    assert found.text.splitlines() == ["C.UTF-8,,,,/app", "0"], found
    programs = "/run/deployd/scripts/programs"
    for attack in (f"echo x >{programs}/sftp-server", f"rm -f {programs}/ld", f"mv {programs} /tmp/x",
                   f"chmod 777 {programs}", f"ln -sf /etc/shadow {programs}/lib/x", "echo x >/run/deployd/scripts/x"):
        assert (await me.do(attack)).status != 0, attack
    too_long = await me.do("true " + "x" * 70_000)
    assert "this command is too long" in too_long.stderr.decode()
    state = stage.daemon.directory / "var" / "state" / "programs"
    assert {path.stat().st_mode & 0o022 for path in state.rglob("*")} == {0}


async def test_a_role_that_is_taken_away_ends_the_session(stage: Stage) -> None:
    me = await stage.person("gone", {"inside": "contributor"})
    async with open_process(*me.ssh("main.inside", "echo ready; sleep 8765")) as client:
        assert await client.stdout.readline() == b"ready\n"
        await stage.ask("POST", "/api/v1/people/gone/change", {"roles": {"inside": "viewer"}})
        said = (await client.stderr.read()).decode()
        assert "gone is a viewer of inside, and this needs a contributor" in said
        assert await client.wait() == 255
    await stage.until_gone("sleep 8765")


async def test_what_stands_still_is_waited_for(stage: Stage) -> None:
    me, container = await stage.ada(), await stage.container()
    await run("docker", "pause", container)
    try:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(me.do("cat; exit 4", stdin=b"kept"))
            await asyncio.sleep(1)
            assert not waiting.done()
            await run("docker", "unpause", container)
    finally:
        await run("docker", "unpause", container, check=False)
    assert (waiting.result().status, waiting.result().text) == (4, "kept")


async def test_a_session_goes_on_while_the_daemon_is_restarted(stage: Stage) -> None:
    me = await stage.ada()
    ends = "sleep 3; exit 8"
    goes_on = "for i in 1 2 3; do read line; echo got $line; done; exit 6"
    async with (
        open_process(*me.ssh("main.inside", goes_on)) as long, open_process(*me.ssh("main.inside", ends)) as short,
    ):
        long.stdin.write(b"one\n")
        assert await long.stdout.readline() == b"got one\n"
        await stage_runs(stage, "sleep 3")
        async with asyncio.timeout(END_SECONDS):   # written down a moment after they began
            while len((await stage.ask("GET", "/api/v1/stays?project=inside"))["items"]) < 2:
                await asyncio.sleep(0.02)
        pid = stage.daemon.running()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while stage.daemon.running():
            await asyncio.sleep(0.02)
        long.stdin.write(b"two\n")
        assert await long.stdout.readline() == b"got two\n", "nobody needs a daemon for that"
        await stage.daemon.start(limit_seconds=END_SECONDS)
        long.stdin.write(b"three\n")
        assert await long.stdout.readline() == b"got three\n"
        async with asyncio.timeout(END_SECONDS):
            assert (await long.wait(), await short.wait()) == (6, 8), "also one that ended meanwhile"


async def test_a_deployment_tells_who_is_there_and_waits_for_nobody(stage: Stage) -> None:
    me = await stage.ada()
    async with open_process(*me.ssh("main.inside", "echo ready; sleep 5678")) as client:
        assert await client.stdout.readline() == b"ready\n"
        async with asyncio.timeout(END_SECONDS):
            while not (there := (await stage.ask("GET", "/api/v1/stays?project=inside"))["items"]):
                await asyncio.sleep(0.05)
        assert [(stay["who"], stay["key"], stay["kind"], stay["part"]) for stay in there] == [
            ("inge", "laptop", "command", "app"),
        ]
        await stage.me.write({"text": "second"})
        pushed = await stage.me.push()
        assert pushed.deployed
        said = (await client.stderr.read()).decode()
        async with asyncio.timeout(END_SECONDS):
            assert await client.wait() == 137
    assert re.search(r"deployd: push \d+ of main, asked for by local, is at work; when it replaces", said), said
    assert re.search(r"deployd: version \d+ is live now: the container that this session was in has gone", said), said
    assert await me.said("cat text") == "second"
