"""git push over SSH: beside the same push over HTTP, and beside OpenSSH; and what many sessions take.

Each round pushes one commit that nobody has seen to three repositories: ours over SSH, ours over HTTP (two projects),
and a bare one behind Debian's sshd. Ours only store it (`-o no-deploy`), but read and check it as each push. OpenSSH's
has no hooks: it is what git and the wire cost.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from deployd.process import open_process, run
from scripts.local_daemon import free_port
from scripts.repository import commit, make_repository
from tests.bench.stand import HERE, Stand, bench_stand
from tests.support.intake_stand import developer_environment
from tests.support.outcome import Outcome, median
from tests.support.ssh_stand import make_key

ROUNDS = 5
LARGE_MB, FILES = 20, 10
SESSIONS, MOST_MB = 200, 60
RATIO = 1.1
OVER_SSH, OVER_HTTP, OPENSSH = "ssh", "http", "openssh"
SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
"""


@dataclass(frozen=True)
class Doors:
    """The three ways to push to, by name, and git's environment for each."""

    urls: dict[str, str]
    environments: dict[str, dict[str, str]]
    options: dict[str, tuple[str, ...]]


async def measure(say: Callable[[str], None]) -> Outcome:
    large: dict[str, list[float]] = {OVER_SSH: [], OVER_HTTP: [], OPENSSH: []}
    small: dict[str, list[float]] = {OVER_SSH: [], OVER_HTTP: [], OPENSSH: []}
    port = free_port()
    async with AsyncExitStack() as stack:
        stand = await stack.enter_async_context(bench_stand(OVER_SSH, OVER_HTTP, settings={
            "ssh": {"listen": f"127.0.0.1:{port}", "sessions_of_key": 2 * SESSIONS},
        }))
        stand.daemon.ssh_port = port
        key = make_key(stand.folder / "key")
        doors = await _doors(stand, key, await stack.enter_async_context(_openssh(stand.folder, key)))
        tree = await _tree(stand)
        for number in range(ROUNDS):
            for name, found, size in (("small", small, 1), ("large", large, LARGE_MB)):
                await _new_commit(tree, number, size)
                order = list(found)
                for which in order[number % 3:] + order[:number % 3]:
                    found[which].append(await _push(tree, doors, which))
                took = ", ".join(f"{who} {all_[-1]:.2f} s" for who, all_ in found.items())
                say(f"round {number + 1}, {name}: {took}")
        memory = await _memory(stand, key)
    to_http = {name: median([mine / other for mine, other in zip(found[OVER_SSH], found[OVER_HTTP], strict=True)], 2)
               for name, found in (("small", small), ("large", large))}
    to_openssh = {
        name: median([mine / other for mine, other in zip(found[OVER_SSH], found[OPENSSH], strict=True)], 2)
        for name, found in (("small", small), ("large", large))
    }
    return Outcome(
        "ssh",
        {"small_push_seconds": median(small[OVER_SSH]), "large_push_seconds": median(large[OVER_SSH]),
         "small_over_http_seconds": median(small[OVER_HTTP]), "large_over_http_seconds": median(large[OVER_HTTP]),
         "small_to_http": to_http["small"], "large_to_http": to_http["large"], "megabytes_of_200_sessions": memory},
        {"small_push_seconds": median(small[OPENSSH]), "large_push_seconds": median(large[OPENSSH])},
        to_openssh["large"],
        f"at most {RATIO} times as long as over HTTP (large) and OpenSSH (both), {SESSIONS} sessions in {MOST_MB} MB",
        max(to_http["large"], *to_openssh.values()) <= RATIO and memory <= MOST_MB,
        (f"median of {ROUNDS} rounds; a small push is one file, a large one {LARGE_MB} MB that cannot be compressed",
         "ours read, check and note what is pushed; the peer, Debian's sshd with a bare repository, does not",
         "over HTTP there is neither TLS nor a handshake: what a small push over SSH takes more is that"),
    )


async def _push(tree: Path, doors: Doors, which: str) -> float:
    began = time.perf_counter()
    await run("git", "push", "--quiet", *doors.options[which], doors.urls[which], "HEAD:main", cwd=tree,
              env=doors.environments[which], limit_seconds=300)
    return time.perf_counter() - began


async def _tree(stand: Stand) -> Path:
    tree = stand.folder / "tree"
    await make_repository(tree, HERE / "small")
    return tree


async def _new_commit(tree: Path, number: int, size_mb: int) -> None:
    """Files that no repository has yet. What was large before goes."""
    folder = tree / "data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    files = FILES if size_mb > 1 else 1
    for file in range(files):
        (folder / f"{file}.bin").write_bytes(os.urandom(size_mb * 1_000_000 // files if size_mb > 1 else 1_000))
    await commit(tree, f"Round {number}")


async def _doors(stand: Stand, key: Path, openssh: str) -> Doors:
    daemon = stand.daemon
    async with daemon.session() as session:
        roles = {"*": "admin"}
        for path, body in (("/api/v1/people", {"id": "ada", "roles": roles}),
                           ("/api/v1/people/ada/keys", {"key": key.with_suffix(".pub").read_text(), "label": "key"})):
            async with session.post(path, json=body) as answer:
                assert answer.status == 201, await answer.text()
    ssh = f"ssh -F none -i {key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -q"
    over_ssh = developer_environment() | {"GIT_SSH_COMMAND": ssh}
    http = daemon.repository_url(OVER_HTTP).replace("://", f"://any:{daemon.token}@")
    async with asyncio.timeout(30):
        while not _is_open(daemon.ssh_port):
            await asyncio.sleep(0.1)
    return Doors(
        {OVER_SSH: daemon.ssh_url(OVER_SSH), OVER_HTTP: http, OPENSSH: openssh},
        {OVER_SSH: over_ssh, OVER_HTTP: developer_environment(), OPENSSH: over_ssh},
        {OVER_SSH: ("-o", "no-deploy"), OVER_HTTP: ("-o", "no-deploy"), OPENSSH: ()},
    )


@asynccontextmanager
async def _openssh(folder: Path, key: Path) -> AsyncIterator[str]:
    """Debian's sshd on a port of its own, and a bare repository; gives the address to push to."""
    home, port = folder / "sshd", free_port()
    home.mkdir()
    make_key(home / "host_key")
    shutil.copy(key.with_suffix(".pub"), home / "authorized_keys")
    (home / "config").write_text(SSHD.format(port=port, folder=home))
    await run("git", "init", "--quiet", "--bare", str(home / "bare.git"), env=developer_environment())
    Path("/run/sshd").mkdir(exist_ok=True)
    async with open_process("/usr/sbin/sshd", "-D", "-e", "-f", str(home / "config")):
        async with asyncio.timeout(30):
            while not _is_open(port):
                await asyncio.sleep(0.1)
        yield f"ssh://root@127.0.0.1:{port}{home}/bare.git"


async def _memory(stand: Stand, key: Path) -> float:
    """What `deployd-ssh` takes for itself with so many sessions open."""
    pid = int((stand.daemon.directory / "var" / "run" / "ssh" / "lock").read_text())
    async with AsyncExitStack() as stack:
        for _ in range(SESSIONS // 10):
            connection = await stack.enter_async_context(asyncssh.connect(
                "127.0.0.1", stand.daemon.ssh_port, username="git", client_keys=[str(key)], known_hosts=None,
                config=None, agent_path=None,
            ))
            for _ in range(10):
                await connection.create_process(f"git-upload-pack '/{OVER_SSH}.git'", encoding=None)
        await asyncio.sleep(2)
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    return round((sizes["Private_Dirty:"] + sizes["Private_Clean:"]) / 1024, 1)


def _is_open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
