"""Which commands at the beginning of a build hook install packages, and nothing else. Pure.

They are recognised by their whole line and only before the first line that is anything else: what a hook has done
before cannot have changed what they install then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPTION = (
    r"(?:--(?:no-dev|no-interaction|no-progress|no-ansi|ansi|prefer-dist|optimize-autoloader|no-suggest|quiet|verbose)"
    r"|-[noqv]+)"
)
COMPOSER = re.compile(rf"composer(?: {_OPTION})* install(?: {_OPTION})*")
NPM = re.compile(
    r"npm (?:ci|install|i)(?: --(?:no-audit|no-fund|include=dev|omit=dev|production|loglevel=\w+|silent))*",
)
_PIP_OPTION = (
    r"--(?:user|no-cache-dir|disable-pip-version-check|no-warn-script-location|no-input|require-hashes|quiet)|-q"
)
_PIP = r"(?:pip3?|python3?(?:\.\d+)? -m pip)"
PIP_ITSELF = re.compile(rf"{_PIP} install (?:--upgrade|-U) pip")
PIP = re.compile(
    rf"{_PIP} install(?: (?:{_PIP_OPTION}))* (?:-r|--requirement) ?(?P<file>[\w./-]+)"
    rf"(?: (?:{_PIP_OPTION}))*",
)
UV = re.compile(r"uv sync(?: --(?:frozen|locked|no-dev|no-install-project|no-progress|compile-bytecode))+")
TOOLS = {"composer": COMPOSER, "npm": NPM, "pip": PIP, "pip itself": PIP_ITSELF, "uv": UV}
ENDS_AT_ERRORS = re.compile(r"set -[a-z]*e[a-z]*|set -o errexit")
SAYS_NOTHING = re.compile(r"#.*|set -[eux]+|set -o (?:errexit|nounset|xtrace)|")
SHOWS_COMMANDS = re.compile(r"set -[a-z]*[xu].*|set -o (?:nounset|xtrace)")


@dataclass(frozen=True, slots=True)
class Split:
    """A build hook, its first commands apart."""

    installs: tuple[tuple[str, str], ...]
    """(tool, command)"""
    rest: str
    """What runs after them; empty: nothing."""
    ends_at_errors: bool


def split_hook(script: str) -> Split:
    """The installing commands that a hook begins with, and the hook without them."""
    lines = script.splitlines()
    settings: list[str] = []
    found: list[tuple[str, str]] = []
    number = 0
    for number, line in enumerate((*lines, None)):   # noqa: B007  where the rest begins
        if line is None:
            break
        command = line.strip()
        tool = next((tool for tool, pattern in TOOLS.items() if pattern.fullmatch(command)), "")
        if tool:
            found.append((tool, command))
        elif SAYS_NOTHING.fullmatch(command):
            settings += [command] if command.startswith("set ") else []
        else:
            break
    if not found:
        return Split((), script, False)
    rest = [line for line in lines[number:] if line.strip()]
    whole = "\n".join([*settings, *lines[number:]]) + "\n" if rest else ""
    return Split(tuple(found), whole, any(ENDS_AT_ERRORS.fullmatch(line) for line in settings))
