"""What a script in a container does to the files by which it is followed: nothing of the host comes of it.

Each attack runs as a hook or a step of a build, with the rights that it would have, in a real container; then the push
is told what it is told, and the host is looked at.
"""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from deployd.engine.docker.engine import Engine
from deployd.engine.errors import ScriptLost, ScriptOverran
from deployd.engine.script import SCRIPTS_FOLDER, age_seconds, has_started, is_held, prepare, read_status
from deployd.engine.script_runner import ScriptRunner
from deployd.engine.specs import Bind, ContainerSpec, RunAs

IMAGE = "deployd/base:trixie"
UID = 2_000_321
USER = f"{UID}:{UID}"
F = f"{SCRIPTS_FOLDER}/deploy"
SECRET = "the-secret-of-the-host-nobody-may-read"
NAMES = ("output", "status", "started", "lock", "pid", "pipe", "script", "begun")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with Engine() as found:
        yield found


class Stand:
    """A container with a folder of scripts, and files of the host that must stay as they are."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.name = f"test-hostile-{uuid.uuid4().hex[:8]}"
        self.scripts = folder / "scripts"
        self.secret = folder / "secret"
        self.secret.write_text(SECRET)
        self.secret.chmod(0o600)
        self.runner = ScriptRunner(engine, self.name, USER)

    async def run(self, text: str, limit_seconds: float = 20) -> tuple[int | None, list[str]]:
        """(status, None when it was lost or ended; what the pusher would read)."""
        script = prepare(self.scripts, "deploy", text, group=UID)
        lines: list[str] = []
        await self.runner.start_or_attach(script)
        try:
            async with asyncio.timeout(60):
                status = await self.runner.follow(script, lines.append, limit_seconds=limit_seconds)
        except (ScriptLost, ScriptOverran) as error:
            lines += error.evidence
            return None, lines
        return status, lines

    def is_unharmed(self) -> bool:
        """The host's file as it was, and every name in the script's folder root's, of its own kind."""
        own = self.scripts / "deploy"
        seen = own.lstat()
        kinds = {name: (own / name).lstat() for name in os.listdir(own)}
        return (
            self.secret.read_text() == SECRET and stat.S_IMODE(self.secret.stat().st_mode) == 0o600
            and self.secret.stat().st_uid == 0 and (seen.st_uid, stat.S_IMODE(seen.st_mode)) == (0, 0o755)
            and kinds.keys() <= set(NAMES)
            and all(item.st_uid == 0 for item in kinds.values())
            and all(stat.S_ISREG(item.st_mode) for name, item in kinds.items() if name != "pipe")
        )


@pytest.fixture
async def stand(engine: Engine, tmp_path: Path) -> AsyncIterator[Stand]:
    stand = Stand(engine, tmp_path)
    stand.scripts.mkdir()
    await engine.ensure_container(ContainerSpec(
        stand.name, IMAGE, {"deployd": stand.name}, command=("sleep", "600"), entrypoint=(), user=USER,
        binds=(Bind(str(stand.scripts), SCRIPTS_FOLDER),), tmpfs={"/tmp": "rw,mode=1777"},
    ))
    yield stand
    await engine.ensure_container_gone(stand.name, stop_seconds=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trick", [
    "rm -f {f}; ln -s {secret} {f}",
    "ln -sf {secret} {f}",
    "mv {f} {f}.away; ln -s {secret} {f}",
    "rm -f {f}; mkfifo {f}",
    "ln -f /etc/passwd {f}",
    "rm -rf {f}; mkdir {f}",
    "touch {f}.new; ln -s {secret} .{name}.new; chmod 777 . {f}; chown {uid} {f}",
], ids=["link", "forced-link", "moved", "pipe", "hard-link", "folder", "traps"])
async def test_no_name_in_the_folder_of_a_script_can_be_replaced(stand: Stand, name: str, trick: str) -> None:
    attack = trick.format(f=f"{F}/{name}", name=name, secret=stand.secret, uid=UID)
    status, lines = await stand.run(f"cd {F}; ( {attack} ) >/dev/null 2>&1; sleep 0.3; exit 1")
    assert stand.is_unharmed()
    assert SECRET not in "\n".join(lines)
    assert status == 1


@pytest.mark.parametrize("where", [SCRIPTS_FOLDER, f"{SCRIPTS_FOLDER}/deploy", "/run/deployd"])
async def test_nothing_can_be_made_beside_a_script(stand: Stand, where: str) -> None:
    await stand.run(
        f"cd {where} && for n in post_deploy cron-x-20300101T000000Z script.new .script.new a; do"
        f" ln -s {stand.secret} $n; mkdir $n; touch $n; done; mv {F} {F}2; rmdir {SCRIPTS_FOLDER}; true",
    )
    assert os.listdir(stand.scripts) == ["deploy"]
    assert stand.is_unharmed()


async def test_a_script_that_lies_about_its_end_harms_only_itself(stand: Stand) -> None:
    status, _ = await stand.run(f"echo 0 1<>{F}/status; echo told; sleep 30")
    assert status in (0, None)
    assert stand.is_unharmed()


@pytest.mark.parametrize("what", ["0x10", "99999999999999999999", "-1", "1e3", "\\0\\0", " 0", "0 0", "yes"])
async def test_a_status_that_is_no_number_is_none(stand: Stand, what: str) -> None:
    script = prepare(stand.scripts, "deploy", "", group=UID)
    (script.folder / "status").write_bytes(what.encode().decode("unicode_escape").encode("latin-1") + b" x\n")
    assert read_status(script) is None


@pytest.mark.parametrize("sparse", ["truncate -s 1T", "dd bs=1 count=1 seek=8000000000000 if=/dev/zero of="])
async def test_a_huge_output_is_read_up_to_the_bound(
    stand: Stand, sparse: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deployd.engine.script_runner.OUTPUT_BYTES", 3_000_000)
    command = f"{sparse} {F}/output" if sparse.startswith("t") else f"{sparse}{F}/output"
    status, lines = await stand.run(f"{command} 2>/dev/null; exit 4")
    assert status == 4
    assert "was not kept" in lines[-1]


async def test_touching_its_files_does_not_prolong_a_script(stand: Stand) -> None:
    status, _ = await stand.run(f"while :; do touch {F}/*; echo 'no ' 1<>{F}/started; sleep 0.1; done", 3)
    assert status is None
    script = prepare(stand.scripts, "deploy", "", group=UID)
    assert has_started(script)
    assert age_seconds(script) >= 3


async def test_a_program_of_the_tenant_is_not_run_in_the_place_of_the_wrappers(stand: Stand) -> None:
    """`sh`, `cat`, `kill` and `flock` of a folder that comes first on the PATH of the container."""
    fakes = "\n".join(f"printf '#!/bin/sh\\nid -u >>/tmp/who\\n' >/tmp/bin/{name}; chmod +x /tmp/bin/{name}"
                      for name in ("sh", "cat", "kill", "flock", "setsid", "grep"))
    await stand.engine.execute(stand.name, ("/bin/sh", "-c", f"mkdir -p /tmp/bin; {fakes}"), RunAs(USER))
    script = prepare(stand.scripts, "deploy", "echo begun; sleep 60", group=UID)
    await stand.runner.start_or_attach(script, environment={"PATH": "/tmp/bin:/usr/bin:/bin"})
    with pytest.raises(ScriptOverran):
        await stand.runner.follow(script, lambda _: None, limit_seconds=0.5)
    seen = await stand.engine.execute(stand.name, ("/bin/cat", "/tmp/who"), RunAs(USER))
    assert b"\n0\n" not in b"\n" + seen.stdout, "nothing of the tenant's ran as root"
    assert seen.status != 0, "none of them ran at all"


async def test_ending_a_script_uses_the_tenants_own_rights(stand: Stand) -> None:
    """Its `pid` names a process of root: that goes on."""
    await stand.engine.start_detached(stand.name, ("/bin/sleep", "300"), RunAs("0:0"))
    find = ("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline | grep -q '^/bin/sleep 300' && cut -d' ' -f5 $p/stat; "
            "done 2>/dev/null; true")
    found = await stand.engine.execute(stand.name, ("/bin/sh", "-c", find), RunAs("0:0"))
    group = found.stdout.split()[0].decode()
    script = prepare(stand.scripts, "deploy", f"echo {group} >{F}/pid; sleep 60", group=UID)
    await stand.runner.start_or_attach(script)
    async with asyncio.timeout(20):
        while (script.folder / "pid").read_text() != f"{group}\n":
            await asyncio.sleep(0.05)
    await stand.runner.end(script.folder, grace_seconds=1)
    after = await stand.engine.execute(stand.name, ("/bin/sh", "-c", find), RunAs("0:0"))
    assert after.stdout == found.stdout != b""


async def test_a_held_lock_and_an_open_pipe_hold_no_thread(stand: Stand) -> None:
    before = threading.active_count()
    script = prepare(stand.scripts, "deploy", "true", group=UID)
    hold = f"exec 9<{F}/lock; flock 9; sleep 60"
    await stand.engine.start_detached(stand.name, ("/bin/sh", "-c", hold), RunAs(USER))
    async with asyncio.timeout(20):
        while not is_held(script):
            await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        for _ in range(20):
            await asyncio.to_thread(read_status, script)
            await asyncio.to_thread(has_started, script)
    assert threading.active_count() <= before + 4


async def test_what_a_version_from_before_has_left_is_not_read(stand: Stand) -> None:
    """Its folder was its application's: links, pipes and lies may stand in it, and all it can be is lost."""
    trap = stand.scripts / "deploy"
    trap.mkdir()
    for name in ("output", "status", "started", "lock"):
        (trap / name).symlink_to(stand.secret)
    os.chown(trap, UID, UID)
    os.chown(stand.scripts, UID, UID)
    script = prepare(stand.scripts, "deploy", "true", group=UID)
    assert (has_started(script), is_held(script), read_status(script)) == (True, False, None)
    lines: list[str] = []
    with pytest.raises(ScriptLost):
        await stand.runner.follow(script, lines.append, limit_seconds=30)
    assert lines == []
    assert stand.scripts.stat().st_uid == 0, "from now on nobody makes a name in here"
    assert stand.secret.stat().st_uid == 0


@pytest.mark.parametrize("kind", ["link", "pipe", "file", "dangling", "socket"])
def test_a_name_that_waits_for_the_next_script_is_no_error(tmp_path: Path, kind: str) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    target = tmp_path / "target"
    target.mkdir()
    trap = scripts / "cron-tidy-20300101T000000Z"
    match kind:
        case "link":
            trap.symlink_to(target)
        case "dangling":
            trap.symlink_to(tmp_path / "nowhere")
        case "pipe":
            os.mkfifo(trap)
        case "socket":
            os.mknod(trap, stat.S_IFSOCK | 0o666)
        case _:
            trap.touch()
    os.chown(scripts, UID, UID)
    script = prepare(scripts, trap.name, "echo never", group=UID)
    assert (has_started(script), is_held(script), read_status(script)) == (True, False, None)
    assert os.listdir(target) == []
    assert target.stat().st_uid == 0


async def test_a_link_that_is_swapped_in_all_the_time_never_wins(tmp_path: Path) -> None:
    """The folder of a version from before, whose application races with us while we prepare a script in it."""
    target = tmp_path / "target"
    target.mkdir()
    scripts = tmp_path / "scripts"
    done = threading.Event()

    def race() -> None:
        while not done.is_set():
            for name in ("a", "b"):
                with suppress(OSError):
                    (scripts / name).symlink_to(target)
                with suppress(OSError):
                    os.rename(scripts / name, scripts / "deploy")
                with suppress(OSError):
                    os.unlink(scripts / "deploy")

    for _ in range(60):
        with suppress(FileNotFoundError):
            for path in list(scripts.iterdir()):
                if path.is_dir() and not path.is_symlink():
                    for inner in path.iterdir():
                        inner.unlink()
                    path.rmdir()
                else:
                    path.unlink(missing_ok=True)
        scripts.mkdir(exist_ok=True)
        done.clear()
        thread = threading.Thread(target=race)
        thread.start()
        try:
            for _ in range(20):
                with suppress(OSError):   # the name went away under us; nothing else may come of it
                    prepare(scripts, "deploy", "echo never", group=UID)
        finally:
            done.set()
            thread.join()
        assert os.listdir(target) == []
        assert target.stat().st_uid == 0
