"""What user names and command lines over SSH mean. Pure: nothing passes a shell, and what is unknown is refused."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from deployd.ssh.ports import Refused, Target

GIT_USER = "git"
LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
TARGET = re.compile(
    rf"(?P<environment>{LABEL})\.(?P<project>[a-z0-9]+(?:-[a-z0-9]+)*)(?:--(?P<worker>[A-Za-z0-9_.-]{{1,64}}))?",
)
LONGEST_NAME = 200
FETCH, PUSH = "git-upload-pack", "git-receive-pack"
GIT_VERBS = (FETCH, PUSH)
GIT_PATH = re.compile(r"/?(?:git/)?(?P<project>[A-Za-z0-9][A-Za-z0-9_-]{0,99})(?:\.git)?/?")
PROTOCOL = re.compile(r"[A-Za-z0-9=:._-]{1,100}")
"""What GIT_PROTOCOL may look like."""


@dataclass(frozen=True, slots=True)
class GitCommand:
    """What the client of git asks for."""

    verb: str
    project: str


def read_user(name: str) -> Target | None:
    """The environment that a user name means; None: `git`.

    Raises:
        Refused: It means nothing.
    """
    if name == GIT_USER:
        return None
    found = TARGET.fullmatch(name) if len(name) <= LONGEST_NAME else None
    if found is None:
        raise Refused(
            f"nobody is called {shown(name)} here",
            hint="the user name is `git` for git, or an environment as main.shop, with a worker main.shop--queue",
        )
    return Target(found["environment"], found["project"], found["worker"] or "")


def read_git(command: str) -> GitCommand:
    """`git-receive-pack '/shop.git'`, as git says it.

    Raises:
        Refused: It is anything else.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if words[:1] == ["git"] and len(words) > 1:   # `git receive-pack …`, as old ones say
        words = [f"git-{words[1]}", *words[2:]]
    verb = words[0] if words else ""
    if verb not in GIT_VERBS:
        raise Refused(
            f"{shown(verb) or 'this'} is not done here: `git` takes {FETCH} and {PUSH}, and has no shell",
            hint="git clone, fetch and push do it; a shell is in an environment: ssh main.shop@…",
        )
    found = GIT_PATH.fullmatch(words[1]) if len(words) == 2 else None
    if found is None:
        raise Refused(
            f"{verb} takes one repository, as /shop.git, and not {shown(' '.join(words[1:]))}",
            hint="git remote -v shows what is asked for",
        )
    return GitCommand(verb, found["project"])


def protocol_of(env: dict[str, str]) -> str:
    """What the client says of the version of git's protocol; empty when it is nothing that git would say."""
    said = env.get("GIT_PROTOCOL", "")
    return said if PROTOCOL.fullmatch(said) else ""


def shown(text: str) -> str:
    """A stranger's text as a terminal may show it."""
    return "".join(letter if letter.isprintable() else "�" for letter in text[:120])


def plain(text: str) -> str:
    """A line of ours without commands to the terminal: some of it comes from repositories and containers."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
