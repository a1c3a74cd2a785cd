"""How git is called: never asking, never localised, never reading the settings of a person or of the host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from deployd.process import LineSink, Output, run

KEPT = (
    "PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
    "https_proxy", "http_proxy", "no_proxy",
)
LARGEST_ALLOCATION = "1g"
"""A file of 512 MB or more is streamed; a few bytes of deltas can stand for more than a host has."""
QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
"""Where the objects of a push lie until it is accepted; whoever looks at them must be told."""


def git_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a call of git."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {
        **kept, "LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/false",
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",   # refs/replace/* would make other files of a commit, or none
        "GIT_ALLOC_LIMIT": LARGEST_ALLOCATION,
        **(more or {}),
    }


def git_argv(repository: Path, *arguments: str) -> tuple[str, ...]:
    """The command line of git for a bare repository."""
    return ("git", f"--git-dir={repository}", *arguments)


async def git(
    repository: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None,
    limit_seconds: float = 60, check: bool = True, keep_bytes: int = 64_000_000, on_line: LineSink | None = None,
) -> Output:
    """Run git on a bare repository.

    Raises:
        ProgramFailed: It ended with a status other than 0 (and `check`).
    """
    return await run(
        *git_argv(repository, *arguments), env=git_environment(env), stdin=stdin,
        limit_seconds=limit_seconds, check=check, keep_bytes=keep_bytes, on_line=on_line,
    )
