"""Programs of the host that run in any container: copied with their libraries, seen by all, written by none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployd.engine.docker.engine import Engine
from deployd.engine.script import SCRIPTS_FOLDER
from deployd.engine.specs import Bind, ContainerSpec, RunAs
from deployd.inside.command_lines import PROGRAMS_FOLDER
from deployd.inside.programs import SOURCES, Programs, ProgramsMissing
from tests.support.engine_contract import IMAGE, WAITS

USER = RunAs("4242:4242")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir(mode=0o755)
    return folder


async def test_they_run_where_none_of_their_libraries_is(tmp_path: Path, scripts: Path) -> None:
    """In the Debian base, as a user who owns nothing, without a network, with a read-only root."""
    await Programs(tmp_path).lay_out(scripts, "rsync")
    tmp_path.chmod(0o755)
    name = f"test-programs-{os.getpid()}"
    async with Engine() as engine:
        await engine.ensure_container(ContainerSpec(
            name, IMAGE, {"deployd": name}, command=WAITS, user="4242:4242",
            binds=(Bind(str(scripts), SCRIPTS_FOLDER),),
        ))
        try:
            assert (await engine.execute(name, ("sh", "-c", "command -v rsync"), USER)).status != 0
            found = await engine.execute(name, ("sh", "-c", f"{PROGRAMS_FOLDER}/bin/rsync --version"), USER)
            assert found.stdout.startswith(b"rsync  version"), found
            sftp = await engine.execute(name, ("sh", "-c", f"{PROGRAMS_FOLDER}/bin/sftp-server -h"), USER)
            assert sftp.stderr == b"No user found for uid 4242\n", "it runs, and looks who it is"
            there = PROGRAMS_FOLDER
            for attack in (f"echo x >{there}/rsync", f"rm {there}/ld", f"chmod 777 {there}"):
                assert (await engine.execute(name, ("sh", "-c", attack), USER)).status != 0, attack
        finally:
            await engine.ensure_container_gone(name, stop_seconds=0)


async def test_all_containers_see_the_same_files_and_an_upgrade_comes_with_the_next_session(
    tmp_path: Path, scripts: Path,
) -> None:
    own = tmp_path / "rsync"
    own.write_bytes(SOURCES["rsync"].read_bytes())
    programs = Programs(tmp_path, {"rsync": own})
    await programs.lay_out(scripts, "rsync")
    first = (scripts / "programs" / "rsync").stat().st_ino
    assert first == (tmp_path / "programs" / "rsync").stat().st_ino
    await programs.lay_out(scripts, "rsync")
    assert (scripts / "programs" / "rsync").stat().st_ino == first
    own.write_bytes(own.read_bytes() + b"\0")
    await programs.lay_out(scripts, "rsync")
    assert (scripts / "programs" / "rsync").stat().st_ino != first
    assert (scripts / "programs" / "rsync").read_bytes() == own.read_bytes()


async def test_a_host_that_lacks_one_says_so(tmp_path: Path, scripts: Path) -> None:
    with pytest.raises(ProgramsMissing, match="this host has no sftp-server") as caught:
        await Programs(tmp_path, {"sftp-server": tmp_path / "none"}).lay_out(scripts, "sftp-server")
    assert caught.value.hint == "the operator installs it: apt-get install openssh-sftp-server"


async def test_nothing_is_laid_where_somebody_else_has_been(tmp_path: Path, scripts: Path) -> None:
    """Folders of scripts were an application's in versions long ago."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (scripts / "programs").symlink_to(elsewhere)
    with pytest.raises(ProgramsMissing):
        await Programs(tmp_path).lay_out(scripts, "rsync")
    (scripts / "programs").unlink()
    (scripts / "programs").mkdir()
    os.chown(scripts / "programs", 4242, 4242)
    with pytest.raises(ProgramsMissing):
        await Programs(tmp_path).lay_out(scripts, "rsync")
    (scripts / "programs").rmdir()
    os.chown(scripts, 4242, 4242)
    with pytest.raises(ProgramsMissing):
        await Programs(tmp_path).lay_out(scripts, "rsync")
    assert list(elsewhere.iterdir()) == []
