"""Which environment and which container a user name over SSH means, and whether its key may come in.

    main.shop           the application of the branch `main` of the project `shop`; of several the one that visitors get
    main.shop--queue    its worker, or another application
    main.shop--app.2    the second of several instances
    main-bvxea6p.shop   the environment by its machine name

It is what is live, whatever is being deployed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from deployd.access.actions import Action, refuse_unless_may
from deployd.access.caller import Caller
from deployd.access.errors import Forbidden, NotFound
from deployd.access.roles import Role
from deployd.activity.journal import read_result
from deployd.environment.naming import label_of, ssh_user
from deployd.errors import DeployError
from deployd.ids import ProjectId
from deployd.project.model import Application, Instance, ProjectConfig
from deployd.release.configuration import read_config
from deployd.release.ports import Host
from deployd.release.release import Release, live_release
from deployd.release.version import Version, worker_part
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, environments, rests
from deployd.state.environments import Environment
from deployd.state.rests import AWAKE, PAUSED
from deployd.state.store import Store


class NotOpen(DeployError):
    """There is nothing in an environment that somebody could come into."""

    code: ClassVar[str] = "not-open"


@dataclass(frozen=True, slots=True)
class Entrance:
    """A container that somebody may come into."""

    release: Release
    part: str
    """Application or worker (`shop--queue`)."""
    config: ProjectConfig
    """At the commit that is live."""

    @property
    def app(self) -> Application:
        """The application that it is, or is a worker of."""
        version = self.release.version.app_of(self.part)
        found = self.config.application(version.name if version else self.part)
        assert found is not None, self.part
        return found

    @property
    def instance(self) -> Instance:
        workers = {worker_part(self.app.name, worker.name): worker.instance for worker in self.app.workers}
        return workers.get(self.part, self.app.web.instance)

    @property
    def container(self) -> str:
        role = "app" if self._is_web else "worker"
        return self.release.container(role, self.part)

    @property
    def said(self) -> str:
        """For people: `main of shop`."""
        part = f" ({self.part})" if self.release.version.app(self.part) is None else ""
        return f"{self.release.branch} of {self.release.project.id}{part}"

    @property
    def _is_web(self) -> bool:
        return self.part in self.release.webs(self.app.name)


@dataclass(frozen=True, slots=True)
class Targets:
    store: Store
    host: Host

    async def find(
        self, caller: Caller, project: str, environment: str, part: str, action: Action = Action.SHELL,
    ) -> Entrance:
        """
        Raises:
            NotFound: There is no such project, environment or part, for all that the caller may know.
            Forbidden: The caller's role does not do it there.
            NotOpen: Nothing is live there.
        """
        refuse_unless_may(caller, action, project)
        settings = self.host.settings
        known = settings.projects.get(ProjectId(project))
        if known is None:
            raise NotFound(f"there is no project {project}")
        found = await self.store.read(lambda db: _find(db, known, environment))
        least = known.ssh_role(found.branch)
        refuse_unless_role(caller, known.id, found.branch, least, f"`access` in the settings of {known.id}")
        release = await self.store.read(lambda db: _live(db, settings, known, found))
        refuse_at_rest(found.branch, known.id, await self.store.read(lambda db: rests.of(db, found.id)))
        entrance = Entrance(release, choose_part(release.version, part), await read_config(release, self.host))
        own = entrance.instance.access.get("ssh", "")
        refuse_unless_role(caller, known.id, found.branch, own, f"`access` in {entrance.app.place.file}")
        return entrance


def refuse_unless_role(caller: Caller, project: str, branch: str, least: str, said_by: str) -> None:
    """
    Args:
        least: The least role that comes in; what is none asks for no more than the action does.

    Raises:
        Forbidden: A greater one is wanted.
    """
    role = caller.role_in(project)
    if least not in {known.value for known in Role} or (role is not None and role.includes(Role(least))):
        return
    raise Forbidden(
        f"{caller.name} is {role.value if role else 'nobody'} of {project}, and {branch} takes {least} for SSH",
        hint=f"{said_by} says so; other environments may take less",
    )


def refuse_at_rest(branch: str, project: str, rest: rests.Rest | None) -> None:
    """
    Raises:
        NotOpen: Nothing of the environment runs.
    """
    if rest == rests.PAUSED:
        raise NotOpen(f"{branch} of {project} is paused, and nothing of it runs",
                      hint=f"its next visitor wakes it, or `deployd environment wake {project} {branch}`")
    if rest == rests.INACTIVE:
        raise NotOpen(f"{branch} of {project} is not active, and nothing of it runs",
                      hint=f"`deployd environment activate {project} {branch}`")


def choose_part(version: Version, wanted: str) -> str:
    """An application or worker by what somebody calls it.

    Raises:
        NotFound: There is none, or there are several.
    """
    names = [name for app in version.apps for name in app.own_parts]
    if not wanted:
        if not version.apps:
            raise NotFound("there is no application in it")
        return version.apps[0].name
    if wanted in names:
        return wanted
    workers = [name for name in names if name.partition("--")[2] == wanted]
    if len(workers) == 1:
        return workers[0]
    what = f"several workers are called {wanted}" if workers else f"there is no application and no worker {wanted}"
    raise NotFound(what, hint=f"there is: {', '.join(workers or names)}")


def _find(db: sqlite3.Connection, project: ProjectSettings, wanted: str) -> Environment:
    rows = environments.list_all(db, project.id)
    exact = [row for row in rows if wanted in (row.branch, row.name)]
    found = exact or [row for row in rows if label_of(row.branch) == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(
            f"several environments of {project.id} are called {wanted}",
            hint="; ".join(f"{row.name}.{project.id} is {row.branch}" for row in found),
        )
    raise NotFound(
        f"the project {project.id} has no environment {wanted}", hint=_there(rows, project) or "nothing was pushed yet",
    )


def _there(rows: Sequence[Environment], project: ProjectSettings) -> str:
    names = [ssh_user(row.id, row.branch) for row in rows]
    return f"there is: {', '.join(names[:10])}{' …' if names[10:] else ''}" if names else ""


def _live(db: sqlite3.Connection, settings: Settings, project: ProjectSettings, found: Environment) -> Release:
    text = environments.live_version(db, found.id)
    if found.rest != AWAKE:
        deed = "wake" if found.rest == PAUSED else "activate"
        raise NotOpen(f"{found.branch} of {project.id} is {found.rest}: nothing of it runs",
                      hint=f"`deployd environment {deed} {project.id} {found.branch}`, and come again")
    if text is not None:
        return live_release(settings, project, found.id, found.branch, read_result(text, Version))
    newest = activities.latest(db, environment=found.id, limit=1)
    doing = newest[0] if newest and newest[0].state in activities.OPEN else None
    what = f"nothing is live in {found.branch} of {project.id} yet"
    if doing is not None:
        raise NotOpen(f"{what}: {doing.kind} {doing.id} is at work on its first version",
                      hint=f"`deployd log {doing.id} --follow` shows how far it is")
    raise NotOpen(what, hint="push the branch, and look at `deployd log` when it fails")
