"""Whether a branch that is pushed is deployed, or is stored and waits for somebody to activate it.

    it has an environment      active or paused: deployed. Inactive: stored
    it has none                production: deployed. `branches` of the project says that it is stored, or as many as
                               `max_active` are active: stored. Else it is deployed

Asked in the transaction that would make the activity, so that two pushes at once do not get past `max_active`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from deployd.environment.naming import Source
from deployd.errors import DeployError
from deployd.ids import EnvironmentId
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, environments, rests
from deployd.state.rests import INACTIVE

MOST_STORED = 1000
"""Inactive environments of a project that are listed; further branches are in its repository alone."""


class TooManyActive(DeployError):
    """The project has as many active environments as it may."""

    code: ClassVar[str] = "too-many-active"


@dataclass(frozen=True, slots=True)
class Stored:
    """Why a branch is not deployed, and what to do about that."""

    why: str
    hint: str

    def said(self, branch: str) -> str:
        return f"{branch} is stored and not deployed: {self.why}; {self.hint}"


def why_stored(settings: Settings, db: sqlite3.Connection, source: Source) -> Stored | None:
    """None: a push of the branch is deployed."""
    there = environments.find(db, source.environment)
    if there is not None:
        if there.rest != INACTIVE or is_being_activated(db, source.environment):
            return None
        return Stored("its environment is inactive", _activate(source))
    project = settings.projects.get(source.project)
    if project is None or source.branch == project.production:
        return None
    if not project.deploys(source.branch):
        return Stored("`branches` in the project's settings says so", _activate(source))
    full = too_many_active(db, project, source.environment)
    if full is None:
        return None
    return Stored(full.what, f"{full.hint}, and then {_activate(source)}")


def store(db: sqlite3.Connection, source: Source, now: datetime) -> None:
    """Have the branch among the environments of its project, as inactive; not the thousandth of them."""
    environments.ensure_stored(db, source.environment, source.branch, now, MOST_STORED)


def too_many_active(
    db: sqlite3.Connection, project: ProjectSettings, environment: EnvironmentId,
) -> TooManyActive | None:
    """Why one more environment may not be active; production always may."""
    most, own = project.max_active, environment
    if most is None or own == Source(project.id, project.production).environment:
        return None
    count = rests.count_active(db, project.id, own, project.production)
    if count < most:
        return None
    return TooManyActive(
        f"{count} environments of {project.id} are active besides production, and {most} may be", where="max_active",
        hint=f"`deployd environment deactivate {project.id} BRANCH` makes room",
    )


def is_being_activated(db: sqlite3.Connection, environment: EnvironmentId) -> bool:
    """Whether something waits or runs that makes it active."""
    return any(
        item.kind in rests.ACTIVATING for item in activities.latest(db, environment=environment, states=activities.OPEN)
    )


def _activate(source: Source) -> str:
    return f"`deployd environment activate {source.project} {source.branch}` deploys it"
