"""What a genuine delivery of a forge means for a project: a push that is deployed, or why it is not. Pure."""

from __future__ import annotations

from deployd.environment.branches import is_of_a_machine, oddity
from deployd.forges.forge import Forge, Headers, Ignored, Ping, RefMoved, Unreadable
from deployd.forges.repository import repository_of
from deployd.ids import OBJECT_ID, CommitId
from deployd.intake.accepted_refs import BRANCH
from deployd.intake.push import NOTHING, Push
from deployd.settings import ProjectSettings

Delivered = Push | Ping | Ignored | Unreadable
"""What a genuine delivery of a webhook turns out to be."""


def read_delivery(project: ProjectSettings, forge: Forge, headers: Headers, body: bytes) -> Delivered:
    """What a genuine delivery means for the project."""
    said = forge.read(headers, body)
    return push_of(project, forge.name, said) if isinstance(said, RefMoved) else said


def push_of(project: ProjectSettings, forge: str, moved: RefMoved) -> Push | Ignored | Unreadable:
    """The push of a branch that is the project's and is deployed, or why it is none."""
    if not moved.ref.startswith(BRANCH):
        return Ignored(f"{moved.ref} is not a branch; tags are not deployed")
    branch = moved.ref.removeprefix(BRANCH)
    if not branch or not branch.isprintable():
        return Unreadable(f"{moved.ref!r} is not the name of a branch")
    if not OBJECT_ID.fullmatch(moved.old) or not OBJECT_ID.fullmatch(moved.new):
        return Unreadable("before and after are not ids of commits")
    if not belongs_to(project, moved.repository):
        return Ignored(
            f"the push is of {moved.repository}, and the remote of the project {project.id} is another repository",
        )
    odd = oddity(branch)
    if odd:
        return Ignored(f"the branch {branch} {odd}; it is not deployed")
    if is_of_a_machine(branch):
        return Ignored(f"{branch} is the branch of a merge queue or of a bot; these are not deployed")
    if NOTHING.fullmatch(moved.new) and branch == project.production:
        return Ignored(f"{branch} is production: it was deleted in the forge, and its environment stays")
    if NOTHING.fullmatch(moved.new) and project.protection_of(branch) is not None:
        return Ignored(f"{branch} is protected: it was deleted in the forge, and its environment stays")
    return Push(
        project.id, branch, CommitId(moved.old), CommitId(moved.new), forge, moved.who, moved.delivery,
        forced=moved.forced,
    )


def belongs_to(project: ProjectSettings, repository: str) -> bool:
    """Whether a push of `owner/name` is one of the project's remote.

    One hook may serve a whole organisation, and a branch that was deleted in one repository must not take the
    environment of another along. A remote without a host (a folder) has no owner to compare with.
    """
    if project.remote is None:
        return False
    remote = repository_of(project.remote.url)
    if not remote.host:
        return True
    path = remote.path.lower()
    return path == repository.lower() or path.endswith(f"/{repository.lower()}")
