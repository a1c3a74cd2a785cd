"""What a redeploy, a push once more, a rollback or the end of an environment would do, said before anybody asks for it.

By a deployment's own rules, with what is live and the settings as they are now: it can be another one when it begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deployd.deployment.desired import Candidate, find_wanted
from deployd.deployment.validate import LONGEST_SUBJECT, wanted_again
from deployd.environment.naming import environment_type
from deployd.errors import DeployError, Unusable
from deployd.ids import ActivityId, CommitId, EnvironmentId
from deployd.plan import Plan, WantedApp, WantedService, make_plan
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.pushes import choose_pushed
from deployd.queries.versions import NothingLive, VersionQueries, VersionShape, choose_earlier
from deployd.release.configuration import config_of
from deployd.release.data.volumes import files_to_give
from deployd.release.ports import Host
from deployd.release.release import Environment as ReleaseEnvironment
from deployd.release.version import Version
from deployd.settings import ProjectSettings
from deployd.state import activities
from deployd.state.environments import Environment
from deployd.state.store import Store

ForecastKind = Literal["redeploy", "push", "rollback", "delete"]
KINDS: tuple[ForecastKind, ...] = ("redeploy", "push", "rollback", "delete")
DATA_STAYS = "stays as it is: databases, files in mounts and passwords are not part of a version"
STARTED_ANEW = "applications and workers: started anew, in new containers"
LOOKED_AT = 50
"""Activities among which the last one like it is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastShape:
    """What would be done."""

    kind: str
    """`redeploy`, `push`, `rollback` or `delete`."""
    project: str
    environment: str
    branch: str
    type: str
    before: VersionShape | None
    """What is live; null when nothing is."""
    after: VersionShape | None
    """What would be live; null when nothing would."""
    same_code: bool
    same_configuration: bool
    """Of applications, services and routes, as they are deployed: settings and variables included."""
    lines: tuple[str, ...]
    """What would be done and why, one sentence each."""
    refused: tuple[str, ...]
    """Why it would fail as things are; empty when nothing is known against it."""
    data: str
    """What becomes of the data."""
    locks: bool
    """Pushes wait afterwards until somebody unlocks."""
    last_seconds: float | None
    """That it took when it was done here last and went well; null: it never was, or too long ago."""
    newest: int
    """The newest activity of the environment, for `seen`; 0: there is none."""


class ForecastQueries:
    def __init__(
        self, store: Store, host: Host, environments: EnvironmentQueries, versions: VersionQueries,
    ) -> None:
        self._store = store
        self._host = host
        self._environments = environments
        self._versions = versions

    async def of(self, kind: ForecastKind, project: str, environment: str, to: int | None = None) -> ForecastShape:
        """
        Args:
            to: Of a rollback: the activity whose version is wanted; None: the one before the live one. Of a push: the
                one that is asked for once more.

        Raises:
            NotFound: There is no such environment.
            NothingLive: There is nothing to deploy once more, or to go back to.
            NotAgain: A push cannot be asked for once more.
        """
        found = await self._environments.find_configured(project, environment)
        of = self._host.settings.projects[found.project]
        live = await self._host.facts.live(found.id)
        if kind == "delete":
            return await self._shape(kind, of, found, live, None, None, self._ends(live), ())
        if kind == "push":
            chosen = ActivityId(to or 0)
            version = _of_commit(await choose_pushed(self._store, self._host, found, chosen))
        elif kind == "redeploy":
            if live is None:
                raise NothingLive(f"nothing is live in {found.branch}", hint="push the branch")
            chosen, version = live.activity, live
        else:
            chosen, version = await choose_earlier(self._store, self._host.settings, found, to)
        try:
            after, plan = await self._plan(kind, of, found, version, live)
        except DeployError as error:
            return await self._shape(kind, of, found, live, chosen, version, (), (error.what,))
        anew = (STARTED_ANEW,) if kind == "redeploy" else ()
        return await self._shape(kind, of, found, live, chosen, after, (*plan.lines(), *anew), plan.refusals)

    async def _plan(
        self, kind: ForecastKind, project: ProjectSettings, environment: Environment, version: Version,
        live: Version | None,
    ) -> tuple[Version, Plan]:
        host, id, branch = self._host, environment.id, environment.branch
        config = await config_of(project, version.commit, host)
        apps: tuple[WantedApp, ...]
        services: tuple[WantedService, ...]
        if kind == "rollback":
            after = version
            apps, services = await wanted_again(host, config, version)
        else:
            place = ReleaseEnvironment(host.settings.instance, project, id, branch)
            candidate = Candidate(place, ActivityId(0), version.commit, config)
            wanted = await find_wanted(host, candidate, live, lambda _: None)
            after, apps, services = wanted.version, wanted.apps, wanted.services
        return after, make_plan(
            apps, services, after.routes, live.as_live() if live else _nothing(version).as_live(),
            rolling=host.settings.strategy_of(project, branch) == "rolling",
            freeze_seconds=host.settings.freeze_seconds,
            given_files=await files_to_give(host, id, live, await host.facts.uid(project.id)),
        )

    async def _shape(
        self, kind: ForecastKind, project: ProjectSettings, found: Environment, live: Version | None,
        chosen: ActivityId | None, after: Version | None, lines: tuple[str, ...], refused: tuple[str, ...],
    ) -> ForecastShape:
        known = {item.activity: item for item in await self._versions.all(found.project, found.name)}
        newest = await self._store.read(lambda db: activities.latest(db, environment=found.id, limit=1))
        type = environment_type(project, found.branch)
        if kind == "push" and chosen is not None and chosen not in known and after is not None:
            known[chosen] = await self._pushed(chosen, after.commit)
        return ForecastShape(
            kind=kind, project=found.project, environment=found.name, branch=found.branch, type=type,
            before=known.get(live.activity) if live else None,
            after=known.get(chosen) if chosen is not None else None,
            same_code=_same_code(live, after), same_configuration=_same_configuration(live, after),
            lines=lines, refused=refused, data=self._data() if kind == "delete" else DATA_STAYS,
            locks=kind == "rollback" and (type == "production" or project.protection_of(found.branch) is not None),
            last_seconds=await self._last_seconds(kind, found.id), newest=newest[0].id if newest else 0,
        )

    async def _pushed(self, push: ActivityId, commit: CommitId) -> VersionShape:
        """Of a push that was never live, or too long ago."""
        by = await self._store.read(lambda db: activities.find(db, push))
        assert by is not None, push
        about = await self._host.code.about(by.project, commit)
        return VersionShape(
            activity=push, kind=by.kind, commit=commit, subject=about.subject[:LONGEST_SUBJECT],
            author=about.author[:LONGEST_SUBJECT], who=by.trigger.who, how=by.trigger.how, since="", seconds=None,
            live=False,
        )

    def _ends(self, live: Version | None) -> tuple[str, ...]:
        if live is None:
            return ()
        return (
            *(f"{url}: route removed" for url in live.routes),
            *(f"{name}: containers removed" for app in live.apps for name in (app.name, *app.workers)),
            *(f"{service.name}: container removed" for service in live.services),
        )

    def _data(self) -> str:
        days = self._host.settings.collect.deleted_days
        if not days:
            return "is removed at once: databases, files in mounts and passwords"
        return f"is kept for {days:g} days, for the branch to come back; then it is removed for good"

    async def _last_seconds(self, kind: str, environment: EnvironmentId) -> float | None:
        found = await self._store.read(
            lambda db: activities.latest(db, environment=environment, states=["success"], limit=LOOKED_AT),
        )
        for item in found:
            if item.kind == kind and item.ended_at and item.started_at:
                return (item.ended_at - item.started_at).total_seconds()
        return None


def forecast_kind(text: str) -> ForecastKind:
    """
    Raises:
        Unusable: There is no such kind.
    """
    found = next((kind for kind in KINDS if kind == text), None)
    if found is not None:
        return found
    raise Unusable(f"kind cannot be {text[:20]!r}", hint=f"one of {', '.join(KINDS)}")


def _nothing(version: Version) -> Version:
    return _of_commit(version.commit)


def _of_commit(commit: CommitId) -> Version:
    """A version of which nothing but this is known."""
    return Version(ActivityId(0), commit, (), (), ())


def _same_code(live: Version | None, after: Version | None) -> bool:
    return live is not None and after is not None and live.commit == after.commit


def _same_configuration(live: Version | None, after: Version | None) -> bool:
    """What is not code: settings of builds, variables, relationships, services, routes."""
    if live is None or after is None:
        return False

    def of(version: Version) -> object:
        apps = {app.name: (app.running, app.parts.settings, app.parts.variables, app.image_id) for app in version.apps}
        return apps, {item.name: (item.type, item.digest) for item in version.services}, set(version.routes)

    return of(live) == of(after)
