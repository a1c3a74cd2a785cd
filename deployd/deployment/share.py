"""Whether a project may have one more environment, or one more activity that waits.

Asked in the transaction that would make it, so that two pushes at once do not get past it. Some room is kept back for
what is live: production, rollbacks and deletes still find a place when a flood of previews has taken the rest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from deployd.activity.kinds import Kind
from deployd.environment.branches import namesake
from deployd.environment.naming import Source
from deployd.errors import DeployError
from deployd.ids import EnvironmentId, ProjectId
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, environments
from deployd.state.rests import INACTIVE

KEPT_FOR_LIVE = 20
"""Activities that may wait beyond `shares.waiting` when they change what visitors see, or make room."""


class ShareTaken(DeployError):
    """A project has what it may have of something that all share; what it has goes on."""

    code: ClassVar[str] = "share-taken"


class NameTaken(ShareTaken):
    """What an environment would have in Docker could be called like another project's."""

    code: ClassVar[str] = "environment-name-taken"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An activity that is to be made."""

    kind: Kind[Any, Any]
    branch: str

    def environment_in(self, project: ProjectId) -> EnvironmentId:
        return Source(project, self.branch).environment


def refuse_beyond_share(
    settings: Settings, db: sqlite3.Connection, project: ProjectId, wanted: Collection[Wanted],
) -> None:
    """
    Raises:
        ShareTaken: Together they are more than the project may have.
        NameTaken: One is called like another project's.
    """
    makes = [item for item in wanted if item.kind.makes_environment]
    _refuse_names(db, project, [item.environment_in(project) for item in makes])
    known = settings.projects.get(project)
    for item in makes:
        refuse_name_of_another(db, known, Source(project, item.branch))
    production = known.production if known else ""
    _refuse_environments(db, settings, project, [
        item.environment_in(project) for item in makes if item.branch != production
    ])
    waiting = activities.waiting_in(db, project)
    more = sum(
        not any((item.environment_in(project).name, kind) in waiting for kind in item.kind.takes_place_of)
        for item in wanted
    )
    for_live = all(item.branch == production or item.kind.has_reserve for item in wanted)
    share = settings.shares_of(project).waiting
    if more and len(waiting) + more > share + (KEPT_FOR_LIVE if for_live else 0):
        raise ShareTaken(
            f"{len(waiting)} activities of {project} wait already, and {share} may", where="shares.waiting",
            hint="wait until some have ended, or cancel those that nobody needs (`deployd cancel`)",
        )


def refuse_name_of_another(db: sqlite3.Connection, project: ProjectSettings | None, source: Source) -> None:
    """What stands before production and protected environments is asked by their branch, and what they have is found by
    their machine name: no other branch may come to that, whether it is pushed, found or activated, and before they are
    there too.

    Raises:
        NameTaken: The environment of a branch is, or would be, that of another one.
    """
    there = environments.find(db, source.environment)
    guarded = (project.production, *project.protected_branches) if project is not None else ()
    other = there.branch if there is not None and there.branch != source.branch else namesake(source.branch, guarded)
    if other is not None:
        raise NameTaken(f"{source.branch} and {other} would have one environment", hint="give the branch another name")


def _refuse_names(db: sqlite3.Connection, project: ProjectId, wanted: Collection[EnvironmentId]) -> None:
    """In Docker, where project and environment are joined with hyphens, and a service's name after them.

    Seven characters of a hash stand in between, and a stranger finds equal ones in an hour: then a branch of `shop`
    would have the network and the data of `shop-api`.
    """
    new = {environment for environment in wanted if environments.find(db, environment) is None}
    if not new:
        return
    others = [(other, f"{other}-{name}-") for other, name in environments.names_taken(db) if other != project]
    for _, name in sorted(new):
        own = f"{project}-{name}-"
        for other, taken in others:
            if taken.startswith(own) or own.startswith(taken):
                raise NameTaken(
                    f"the environment {name} of {project} would be called like one of {other}",
                    hint="give the branch another name",
                )


def _is_new(db: sqlite3.Connection, environment: EnvironmentId) -> bool:
    """Whether nothing is there of it yet, but maybe a branch that is stored."""
    there = environments.find(db, environment)
    return there is None or (there.rest == INACTIVE and there.live_activity is None)


def _refuse_environments(
    db: sqlite3.Connection, settings: Settings, project: ProjectId, wanted: Collection[EnvironmentId],
) -> None:
    there = environments.count_by_project(db)
    new = {environment for environment in wanted if _is_new(db, environment)}
    if not new:
        return
    share, own = settings.shares_of(project).environments, there.get(project, 0)
    if own + len(new) > share:
        raise ShareTaken(
            f"{project} has {own} environments, {len(new)} more are wanted, and {share} may be",
            where="shares.environments",
            hint="delete branches that nobody needs (`git push --delete`), or have the operator raise the share",
        )
    if sum(there.values()) + len(new) > settings.limits.environments:
        raise ShareTaken(
            f"this host has {sum(there.values())} environments, and {settings.limits.environments} may be",
            where="limits.environments",
            hint="delete branches that nobody needs (`git push --delete`), or have the operator raise the limit",
        )
