"""`git push` as a person does it, with every line of the terminal as it comes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployd.process import run

FAILED = re.compile(r"^remote: +(✗|■) push of ")
ERASE = re.compile(r"\x1b\[K|\s+$")


@dataclass(frozen=True, slots=True)
class Pushed:
    """How a push ended."""

    status: int
    """git's exit status."""
    seconds: float
    lines: tuple[str, ...]
    """What git wrote to the terminal."""

    @property
    def deployed(self) -> bool:
        """Git is content when the commit has arrived; whether it was deployed is said in what it shows."""
        return self.status == 0 and not any(FAILED.search(line) for line in self.lines)


def git_environment(token: str = "") -> dict[str, str]:
    """Git without the settings of the person who runs this; the token is not seen on the command line."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Demo", "GIT_AUTHOR_EMAIL": "demo@localhost",
        "GIT_COMMITTER_NAME": "Demo", "GIT_COMMITTER_EMAIL": "demo@localhost",
        "LOCAL_DAEMON_TOKEN": token,
        "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost",
    }


async def push(
    repository: Path, url: str, token: str, *, branch: str = "main", on_line: Callable[[str], None] = print,
    options: Sequence[str] = (), limit_seconds: float = 900, delete: bool = False,
    force: bool = False, commit: str = "HEAD",
) -> Pushed:
    """Push a commit to a branch.

    Args:
        options: Push options (`no-wait`).
        delete: Delete the branch instead.
    """
    lines: list[str] = []

    def take(_stream: str, text: str) -> None:
        for part in text.split("\r"):     # progress is written over itself
            if line := ERASE.sub("", part):
                lines.append(line)
                on_line(line)

    helper = "!f() { echo username=local; echo \"password=$LOCAL_DAEMON_TOKEN\"; }; f"
    began = time.monotonic()
    output = await run(
        "git", "-c", f"credential.helper={helper}", "push", *(f"--push-option={option}" for option in options),
        url, f"{'+' if force else ''}{'' if delete else commit}:refs/heads/{branch}",
        cwd=repository, env=git_environment(token), check=False, on_line=take, limit_seconds=limit_seconds,
    )
    return Pushed(output.status, time.monotonic() - began, tuple(lines))
