"""What the payloads of all forges have in common: fields that must be there, and whose push it is. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from deployd.environment.branches import is_of_a_machine, oddity
from deployd.ids import CommitId
from deployd.intake.push import NOTHING, Ignored, Push, Unreadable
from deployd.settings import ProjectSettings

Headers = Mapping[str, str]
"""Names in any case: aiohttp's headers are such a mapping."""

BRANCH = "refs/heads/"
OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SCP_ADDRESS = re.compile(r"[^/@]+@[^/:]+:(?P<path>.*)")   # git@host:owner/name.git


class Lacking(Exception):
    """A field is not there, or is of another type."""


def read_json(body: bytes) -> Mapping[str, Any]:
    """
    Raises:
        Lacking: It is not a JSON object.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Lacking("the body is not JSON") from None
    if not isinstance(payload, dict):
        raise Lacking("the body is not a JSON object")
    return payload


def text(payload: Mapping[str, Any], path: str) -> str:
    """A text by its path (`repository.full_name`).

    Raises:
        Lacking: It is not there.
    """
    value: Any = payload
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str):
        raise Lacking(f"the payload has no text {path}")
    return value


def text_or_empty(payload: Mapping[str, Any], path: str) -> str:
    try:
        return text(payload, path)
    except Lacking:
        return ""


def read_push(
    project: ProjectSettings, payload: Mapping[str, Any], *, repository: str, how: Literal["github", "gitlab"],
    who: str, delivery: str, forced: bool = False,
) -> Push | Ignored | Unreadable:
    """The push of a payload; GitHub and GitLab name its three main fields alike.

    Args:
        repository: Whose push it is, as the forge says: `owner/name`.

    Raises:
        Lacking: A field is not there.
    """
    ref, old, new = text(payload, "ref"), text(payload, "before"), text(payload, "after")
    if not ref.startswith(BRANCH):
        return Ignored(f"{ref} is not a branch; tags are not deployed")
    branch = ref.removeprefix(BRANCH)
    if not branch or not branch.isprintable():
        return Unreadable(f"{ref!r} is not the name of a branch")
    if not OBJECT_ID.fullmatch(old) or not OBJECT_ID.fullmatch(new):
        return Unreadable("before and after are not ids of commits")
    if not belongs_to(project, repository):
        return Ignored(f"the push is of {repository}, and the remote of the project {project.id} is another repository")
    odd = oddity(branch)
    if odd:
        return Ignored(f"the branch {branch} {odd}; it is not deployed")
    if is_of_a_machine(branch):
        return Ignored(f"{branch} is the branch of a merge queue or of a bot; these are not deployed")
    if NOTHING.fullmatch(new) and branch == project.production:
        return Ignored(f"{branch} is production: it was deleted in the forge, and its environment stays")
    return Push(project.id, branch, CommitId(old), CommitId(new), how, who, delivery, forced=forced)


def belongs_to(project: ProjectSettings, repository: str) -> bool:
    """Whether a push of `owner/name` is one of the project's remote.

    One hook may serve a whole organisation, and a branch that was deleted in one repository must not take the
    environment of another along. A remote without a host (a folder) has no owner to compare with.
    """
    if project.remote is None:
        return False
    scp = SCP_ADDRESS.fullmatch(project.remote.url)
    parts = urlsplit(project.remote.url)
    if scp is None and not parts.hostname:
        return True
    path = (scp["path"] if scp else parts.path).strip("/").removesuffix(".git").lower()
    return path == repository.lower() or path.endswith(f"/{repository.lower()}")
