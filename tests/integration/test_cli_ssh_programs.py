"""The programs of this machine understand what the command line starts them with, also in a home with blanks."""

from __future__ import annotations

import os
from pathlib import Path

from deployd.cli.mount import INWARD, RSYNC, _remote_shell
from deployd.cli.ssh_address import SshAddress, keep_known_hosts
from deployd.process import run


async def test_ssh_understands_a_home_with_blanks(tmp_path: Path) -> None:
    known = keep_known_hosts(["host ssh-ed25519 AAAA"], {"HOME": str(tmp_path / "with space")})
    address = SshAddress("main.shop", "host", 2222, known)
    shown = (await run(*address.argv, "-G", "-F", "none", address.host, env={"PATH": os.environ["PATH"]})).text
    assert f"userknownhostsfile {known}" in shown.splitlines()
    assert "user main.shop" in shown.splitlines()
    assert "port 2222" in shown.splitlines()


async def test_rsync_hands_ssh_the_same_words(tmp_path: Path) -> None:
    known = keep_known_hosts(["host ssh-ed25519 AAAA"], {"HOME": str(tmp_path / "with space")})
    shell = _remote_shell(SshAddress("main.shop", "host", 2222, known))
    fake = tmp_path / "ssh"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/said\nexit 1\n')
    fake.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    await run("rsync", "-e", shell, "--", "main.shop@host:/app/x/", f"{tmp_path}/here/", env=env, check=False)
    said = (tmp_path / "said").read_text().splitlines()
    assert said[:6] == ["-o", f'UserKnownHostsFile="{known}"', "-o", "StrictHostKeyChecking=yes", "-p", "2222"]


async def test_links_that_lead_out_of_what_is_brought_are_left_there(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    (there / "below").mkdir(parents=True)
    (there / "a").write_text("a")
    (there / "same").symlink_to("a")
    (there / "key").symlink_to("/root/.ssh/id_ed25519")
    (there / "below" / "up").symlink_to("../../secret")
    await run(*RSYNC, *INWARD, "--", f"{there}/", f"{here}/")
    assert sorted(str(path.relative_to(here)) for path in here.rglob("*")) == ["a", "below", "same"]
