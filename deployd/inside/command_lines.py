"""What is run in a container for somebody who comes in. Pure.

A shell, or a command in it, finds what the application's own processes find: the container's variables, `.environment`
read by sh as hooks read it. What `.environment` prints goes to stderr, for programs talk over stdout; one that ends the
shell keeps nobody out.

What a person or a program of theirs sends is one argument, and never a part of our own text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployd.engine.script import SCRIPTS_FOLDER
from deployd.environment.platform import APP_FOLDER

PROGRAMS_FOLDER = f"{SCRIPTS_FOLDER}/programs"
"""Where a container sees what `programs.py` lays there."""
FIND_SHELL = "deployd_shell=$(command -v bash) || deployd_shell=/bin/sh"
LOST = "deployd: .environment ended the shell that reads it; what it sets may be missing"
PREPARE = f"""\
PATH=$PATH:{PROGRAMS_FOLDER}/bin
cd {APP_FOLDER} 2>/dev/null
{FIND_SHELL}
"""
READ_ENVIRONMENT = "if [ -f .environment ]; then trap '{lost}' EXIT; . ./.environment >&2; trap - EXIT; fi\n"
SHELL = PREPARE + READ_ENVIRONMENT.format(
    lost=f'echo "{LOST}" >&2; exec "$deployd_shell" -i') + 'exec "$deployd_shell" -i\n'
COMMAND = PREPARE + READ_ENVIRONMENT.format(
    lost=f'echo "{LOST}" >&2; exec "$deployd_shell" -c "$1"') + 'exec "$deployd_shell" -c "$1"\n'
TRANSFER = PREPARE + 'exec "$deployd_shell" -c "$1"\n'
"""Of files: without `.environment`, which has no say in it."""
PIPED_SHELL = PREPARE + READ_ENVIRONMENT.format(
    lost=f'echo "{LOST}" >&2; exec "$deployd_shell"') + 'exec "$deployd_shell"\n'
"""A shell without a terminal: it reads what it is to do."""
TRANSFERS = re.compile(r"(rsync --server|scp (-\S+ )*-[tf]) ")
SFTP = (
    f"{PROGRAMS_FOLDER}/ld", "--library-path", f"{PROGRAMS_FOLDER}/lib", f"{PROGRAMS_FOLDER}/sftp-server",
    "-e", "-l", "INFO",
)
"""It says on stderr what it does; the audit log has it from there."""

TERM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
LOCALE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
LOCALE_NAME = re.compile(r"LANG|LC_[A-Z]{1,20}")


def shell(*, on_terminal: bool) -> tuple[str, ...]:
    return ("/bin/sh", "-c", SHELL if on_terminal else PIPED_SHELL, "deployd")


def command(text: str) -> tuple[str, ...]:
    """One command line, for the shell of the container's user."""
    return ("/bin/sh", "-c", TRANSFER if is_transfer(text) else COMMAND, "deployd", text)


def is_transfer(text: str) -> bool:
    """Whether it is the other end of rsync or scp."""
    return TRANSFERS.match(text) is not None


def variables(asked: Mapping[str, object], term: str) -> dict[str, str]:
    """What of a client's environment a command gets: the terminal's kind and the language.

    Both are names of files to some programs: no slashes.
    """
    found = {
        name: value for name, value in asked.items()
        if isinstance(value, str) and LOCALE_NAME.fullmatch(name) and LOCALE.fullmatch(value)
    }
    if term:
        found["TERM"] = term if TERM.fullmatch(term) else "dumb"
    return found
