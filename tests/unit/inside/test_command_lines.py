"""What is run for somebody who comes in: read by a real shell, with whatever they send as one argument."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from deployd.inside.command_lines import COMMAND, PIPED_SHELL, command, is_transfer, shell, variables
from deployd.process import Output, run

AWKWARD = ["'; id #", "$(id)", "`id`", "a\nb", "--help", "\\", "é ☃", '"', "$1", "{lost}"]


async def done(folder: Path, script: str, *words: str, stdin: bytes = b"") -> Output:
    """A script, with a folder in the place of the application's."""
    text = script.replace("cd /app 2>/dev/null", f"cd {folder}")
    return await run("sh", "-c", text, "deployd", *words, check=False, stdin=stdin, env={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("text", AWKWARD)
async def test_a_command_is_one_argument_whatever_is_in_it(tmp_path: Path, text: str) -> None:
    argv = command(text)
    assert (argv[-1], argv[2]) == (text, COMMAND)
    found = await done(tmp_path, COMMAND, f"printf %s {shlex.quote(text)}; exit 4")
    assert (found.status, found.stdout.decode()) == (4, text)


async def test_what_the_environment_file_sets_is_there_and_what_it_prints_is_not_output(tmp_path: Path) -> None:
    (tmp_path / ".environment").write_text("export SET=yes\necho noise\n")
    found = await done(tmp_path, COMMAND, "echo $SET")
    assert (found.stdout, found.stderr) == (b"yes\n", b"noise\n")
    piped = await done(tmp_path, PIPED_SHELL, stdin=b"echo $SET; exit 3\n")
    assert (piped.status, piped.stdout) == (3, b"yes\n")


@pytest.mark.parametrize("text", ["exit 5", "export A=(1 2)", "set -u; echo $NEVER", "exit 0"])
async def test_an_environment_file_that_ends_the_shell_keeps_nobody_out(tmp_path: Path, text: str) -> None:
    (tmp_path / ".environment").write_text(f"export SET=yes\n{text}\n")
    found = await done(tmp_path, COMMAND, "echo in; exit 7")
    assert (found.status, found.stdout) == (7, b"in\n")
    assert b".environment ended the shell that reads it" in found.stderr


async def test_one_that_runs_something_else_in_its_place_is_that(tmp_path: Path) -> None:
    (tmp_path / ".environment").write_text("exec echo mine\n")
    assert (await done(tmp_path, COMMAND, "echo in")).stderr == b"mine\n"


async def test_files_are_not_kept_from_anybody_by_an_environment_file(tmp_path: Path) -> None:
    (tmp_path / ".environment").write_text("exec sleep 4321\n")
    argv = command("scp -t 'x'")
    assert (await done(tmp_path, argv[2], "echo in")).stdout == b"in\n"


@pytest.mark.parametrize(("text", "expected"), [
    ("rsync --server -e.LsfxCIvu . var/", True), ("scp -t var", True), ("scp -v -r -f var", True),
    ("rsync -a here there", False), ("scp here there", False), ("echo rsync --server x", False), ("scp", False),
])
def test_the_other_ends_of_rsync_and_scp_are_known(text: str, expected: bool) -> None:
    assert is_transfer(text) is expected


def test_a_shell_is_interactive_on_a_terminal_only() -> None:
    assert ' -i' in shell(on_terminal=True)[2]
    assert ' -i' not in shell(on_terminal=False)[2]


def test_of_a_clients_environment_comes_the_language_and_the_terminals_kind() -> None:
    asked = {
        "LANG": "de_DE.UTF-8", "LC_TIME": "C", "LC_ALL": "../../etc/passwd", "LD_PRELOAD": "/tmp/x.so", "PATH": "/tmp",
        "BASH_ENV": "/tmp/x", "LC_lower": "C", "LANGUAGE": "x", "LC_NUMERIC": 7, "LC_PAPER": "a b",
    }
    assert variables(asked, "xterm-256color") == {"LANG": "de_DE.UTF-8", "LC_TIME": "C", "TERM": "xterm-256color"}
    assert variables({}, "../../tmp/evil") == {"TERM": "dumb"}
    assert variables({}, "") == {}
