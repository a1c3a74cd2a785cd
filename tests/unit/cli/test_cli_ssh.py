"""What the programs of this machine are started with to come into an environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.cli.exit_status import CANNOT_RUN
from deployd.cli.ssh_address import SshAddress, keep_known_hosts, known_hosts_of, one_line, read_address
from deployd.process import run


@pytest.mark.parametrize(("url", "part", "expected"), [
    ("ssh://main.shop@deploy.example.com:2222", "", SshAddress("main.shop", "deploy.example.com", 2222)),
    ("ssh://main.shop@deploy.example.com", "queue", SshAddress("main.shop--queue", "deploy.example.com", 22)),
    ("ssh://main.shop@[::1]:2222", "", SshAddress("main.shop", "::1", 2222)),
])
def test_an_address_is_read(url: str, part: str, expected: SshAddress) -> None:
    assert read_address(url, part) == expected


@pytest.mark.parametrize("url", [
    "ssh://-oProxyCommand=id@host", "ssh://main.shop@-oProxyCommand=id", "ssh://host", "", "https://", "ssh://@host",
    "ssh://main.shop%20x@host", "ssh://$(id).shop@host", "ssh://main.shop%0a@host", "ssh://main.shop@a;id",
    "ssh://main.shop@`id`", "ssh://%2Fetc%2Fx@host", "ssh://rsync:x@ho$t", "ssh://main.shop@host:99999", "ssh://[x",
])
def test_what_is_more_than_a_name_to_ssh_or_a_shell_is_no_address(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_address(url)
    assert ended.value.code == CANNOT_RUN
    assert "is no address for SSH" in capsys.readouterr().err


def test_ipv6_stands_in_brackets_before_a_path() -> None:
    assert SshAddress("main.shop", "::1", 22).place == "main.shop@[::1]"
    assert SshAddress("main.shop", "host", 22).place == "main.shop@host"


async def test_several_words_are_one_program_with_its_arguments() -> None:
    words = ("printf", "%s|", "a b", "$HOME", "`id`", "'")
    assert (await run("sh", "-c", one_line(words))).text == "a b|$HOME|`id`|'|"
    assert one_line(("echo $HOME; exit 3",)) == "echo $HOME; exit 3"


def test_the_servers_key_is_kept_where_ssh_finds_it(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "with space")}
    file = keep_known_hosts(["host ssh-ed25519 AAAA"], home)
    assert Path(file).read_text() == "host ssh-ed25519 AAAA\n"
    assert keep_known_hosts(["host ssh-ed25519 BBBB"], home) != file, "another server's is another file"
    assert keep_known_hosts([], home) == ""
    assert keep_known_hosts(["x"], {"HOME": f'{tmp_path}/a"b'}) == "", "ssh could not be told of it"
    (tmp_path / "file").write_text("")
    assert keep_known_hosts(["x"], {"HOME": str(tmp_path / "file")}) == ""


@pytest.mark.parametrize(("line", "taken"), [
    ("host ssh-ed25519 AAAA", True), ("[deploy.example.com]:2222 ssh-ed25519 AAAA+/b==", True),
    ("[::1]:22 ssh-rsa A", True), ("* ssh-ed25519 AAAA", False), ("host,github.com ssh-ed25519 AAAA", False),
    ("@cert-authority host ssh-rsa A", False), ("host ssh-ed25519 AAAA\ngithub.com ssh-rsa B", False),
    ("host ssh-ed25519 \x1b[2J", False), ("|1|a|b ssh-rsa A", False),
])
def test_a_server_says_its_own_key_and_nobody_elses(line: str, taken: bool) -> None:
    assert known_hosts_of({"keys": [{"known_hosts": line}]}) == ([line] if taken else [])
