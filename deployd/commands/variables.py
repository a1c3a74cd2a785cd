"""Variables: set one, change what is said of it, or keep it no more. What that builds and starts anew is said with it.

    read what there is ─► what would it mean? ─► one transaction: the row, and the activity where one is needed
         └──────────── again, when another change came between ◄────────┘
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol

import structlog

from deployd.access.actions import Action
from deployd.access.errors import NotFound
from deployd.activity.masking import Masker
from deployd.activity.secret_forms import SHORTEST, is_maskable
from deployd.deployment import kinds
from deployd.deployment.requests import Request, Requests
from deployd.environment.kept_variables import MOST_AT_A_LEVEL, KeptVariable, refuse_unfit
from deployd.errors import DeployError, Unusable
from deployd.ids import ActivityId, EnvironmentName
from deployd.queries.activities import ActivityShape, activity_shape
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.projects import find_project
from deployd.queries.variable_effects import NOW, EffectShape
from deployd.queries.variables import KeptVariableShape, shape_of
from deployd.release.kept_variables import WhatIf
from deployd.release.ports import Host
from deployd.release.store import forget_variables
from deployd.settings import ProjectSettings
from deployd.settings.variables import canonical_name
from deployd.state import activities, environments, variables
from deployd.state.activities import Trigger
from deployd.state.environments import Environment
from deployd.state.rests import AWAKE
from deployd.state.sealing import Sealer
from deployd.state.store import Store
from deployd.state.variables import OF_PROJECT, VariableRow

log = structlog.get_logger()
TRIES = 5


class VariableOfSettings(DeployError):
    """The operator wrote a variable of that name, and theirs wins."""

    code: ClassVar[str] = "variable-of-settings"


class AlreadyThere(DeployError):
    """There is a variable of that name."""

    code: ClassVar[str] = "variable-there"


class ChangedMeanwhile(DeployError):
    """Others change variables of the project all the time."""

    code: ClassVar[str] = "changed-meanwhile"


class _Again(Exception):
    """Another change came between."""


@dataclass(frozen=True, slots=True)
class At:
    """Where a variable is."""

    project: str
    environment: str | None
    """Machine name or branch; None: it is the project's."""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is said of a variable; what is None stays as it is, or as usual. Names as of `KeptVariable`."""

    value: str | None = None
    is_json: bool | None = None
    sensitive: bool | None = None
    visible_build: bool | None = None
    visible_runtime: bool | None = None
    inheritable: bool | None = None
    enabled: bool | None = None
    applications: tuple[str, ...] | None = None

    def over(self, before: KeptVariable) -> KeptVariable:
        said: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(before, **{name: value for name, value in said.items() if value is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableChangeShape:
    """A change of a variable, done or only thought about."""

    change: str
    """`created`, `updated`, `deleted` or `none`: it is so already, and nothing is done."""
    planned: bool
    """It was only asked what it would do."""
    variable: KeptVariableShape | None
    """As it is afterwards; null when it is deleted."""
    effects: tuple[EffectShape, ...]
    """What it means for the environment whose it is, and for those that see it too."""
    activity: ActivityShape | None
    """That deploys it; null when nothing has to be deployed now."""
    warnings: tuple[str, ...] = ()


class Effects(Protocol):
    """Knows what a change would mean."""

    async def of(self, project: ProjectSettings, what_if: WhatIf) -> tuple[EffectShape, ...]: ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """How values are kept in the database, and out of logs."""

    sealer: Sealer
    masker: Masker


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a variable is, found."""

    project: ProjectSettings
    environment: Environment | None
    name: str

    @property
    def level(self) -> EnvironmentName:
        return self.environment.name if self.environment else OF_PROJECT

    @property
    def branch(self) -> str:
        return self.environment.branch if self.environment else ""

    @property
    def words(self) -> str:
        return self.branch or f"the project {self.project.id}"


class VariableCommands:
    def __init__(
        self, store: Store, host: Host, known: EnvironmentQueries, requests: Requests, sealed: Sealed,
        effects: Effects,
    ) -> None:
        self._store = store
        self._host = host
        self._known = known
        self._requests = requests
        self._sealer = sealed.sealer
        self._masker = sealed.masker
        self._effects = effects

    async def least(self, project: str, environment: str | None) -> Action:
        """What somebody must be allowed to do who changes a variable there: what all environments see, or a protected
        one, is for admins.

        Raises:
            NotFound: There is no such environment.
        """
        if environment is None:
            return Action.SET_SHARED_VARIABLES
        found = await self._known.find_configured(project, environment)
        is_protected = self._host.settings.projects[found.project].protection_of(found.branch) is not None
        return Action.SET_SHARED_VARIABLES if is_protected else Action.SET_VARIABLES

    async def put(
        self, at: At, said: Said, who: str, *, plan: bool = False, is_new: bool | None = None,
    ) -> VariableChangeShape:
        """Set a variable, or change what is said of it.

        Args:
            plan: Only say what it would do.
            is_new: True: there must be none yet; False: there must be one; None: that is all one.

        Raises:
            NotFound: There is no such project or environment, or no such variable to change.
            AlreadyThere, VariableOfSettings, Unusable: It cannot be set so.
            ShareTaken: The project may have no more activities.
        """
        place = await self._place(at)

        def wanted(before: KeptVariable | None) -> KeptVariable:
            if before is not None and is_new:
                raise AlreadyThere(f"{place.words} has a variable {place.name}", hint="`deployd variable update`")
            if before is None and is_new is False:
                raise NotFound(f"{place.words} has no variable {place.name}", hint="`deployd variable create`")
            return _merged(place, before, said)

        return await self._change(place, wanted, who, plan=plan)

    async def delete(self, at: At, who: str, *, plan: bool = False) -> VariableChangeShape:
        """Keep a variable no more.

        Raises:
            NotFound: There is no such project, environment or variable.
        """
        place = await self._place(at)

        def wanted(before: KeptVariable | None) -> None:
            if before is None:
                raise NotFound(f"{place.words} has no variable {place.name}", hint="`deployd variable list`")

        return await self._change(place, wanted, who, plan=plan)

    async def _place(self, at: At) -> _Place:
        if at.environment is None:
            return _Place(find_project(self._host.settings, at.project), None, canonical_name(at.name))
        found = await self._known.find_configured(at.project, at.environment)
        return _Place(self._host.settings.projects[found.project], found, canonical_name(at.name))

    async def _change(
        self, place: _Place, wanted: Callable[[KeptVariable | None], KeptVariable | None], who: str, *, plan: bool,
    ) -> VariableChangeShape:
        for _ in range(TRIES):
            revision, before = await self._store.read(lambda db: self._now(db, place))
            after = wanted(before.variable if before else None)
            change = _words(before, after)
            if change == "none":
                return _shape(place, change, before, plan=plan)
            if after is not None:
                _refuse_of_settings(place)
            effects = await self._effects.of(place.project, WhatIf(place.level, place.name, after))
            made = VariableChangeShape(
                change=change, planned=plan, variable=None, effects=effects, activity=None, warnings=_warnings(after),
            )
            if plan:
                return made
            try:
                return await self._write(place, after, who, made, revision)
            except _Again:
                continue
        raise ChangedMeanwhile(f"variables of {place.project.id} are changed all the time", hint="try again")

    def _now(self, db: sqlite3.Connection, place: _Place) -> tuple[int, VariableRow | None]:
        revision = variables.revision_of(db, place.project.id)
        found = variables.all_at(db, self._sealer, place.project.id, revision, place.level)
        if len(found) >= MOST_AT_A_LEVEL and not any(row.variable.name == place.name for row in found):
            raise Unusable(f"{place.words} has {MOST_AT_A_LEVEL} variables, and may have no more",
                           hint="put several values into one variable, as JSON")
        return revision, next((row for row in found if row.variable.name == place.name), None)

    async def _write(
        self, place: _Place, after: KeptVariable | None, who: str, made: VariableChangeShape, revision: int,
    ) -> VariableChangeShape:
        if after is not None and after.sensitive:
            self._masker.learn([after.content])   # before anything of it is written

        def write(db: sqlite3.Connection) -> tuple[VariableRow | None, ActivityId | None]:
            if variables.revision_of(db, place.project.id) != revision:
                raise _Again
            if after is None:
                variables.remove(db, place.project.id, place.level, place.name)
            else:
                now = self._host.clock.now()
                variables.put(db, self._sealer, place.project.id, place.level, after, who, now)
            forget_variables(db, place.project.id)
            return self._now(db, place)[1], self._deploy(db, place, who, made)

        row, activity = await self._requests.write(write)
        log.info("variable_changed", project=place.project.id, environment=place.level or None, variable=place.name,
                 change=made.change, who=who)
        found = await self._store.read(lambda db: activities.find(db, activity)) if activity is not None else None
        return replace(
            made, variable=shape_of(row, place.branch) if row else None,
            activity=activity_shape(found) if found else None,
        )

    def _deploy(
        self, db: sqlite3.Connection, place: _Place, who: str, made: VariableChangeShape,
    ) -> ActivityId | None:
        """Ask for a deployment, when the change needs one now.

        Also when something is under way there: it may have begun with the value before, whatever is live.
        """
        item = environments.find(db, place.environment.id) if place.environment else None
        if item is None or item.live_activity is None or item.rest != AWAKE:
            return None
        is_due = any(effect.when == NOW and effect.environment == item.name for effect in made.effects)
        if not is_due and not activities.latest(db, environment=item.id, states=activities.OPEN, limit=1):
            return None
        said = f"the variable {place.name} of {item.branch} was {made.change}"
        return self._requests.ask_for(
            db, Request(kinds.VARIABLE, item.id, item.branch, None, Trigger(who, "api", said=said)),
        )


def _merged(place: _Place, before: KeptVariable | None, said: Said) -> KeptVariable:
    """
    Raises:
        Unusable: It cannot be so.
    """
    if before is None and said.value is None:
        raise Unusable(f"{place.name} is new, and has no value", hint='send `value`; "" is an empty one')
    after = said.over(before or KeptVariable(name=place.name, value=""))
    if before is not None and before.sensitive and not after.sensitive and said.value is None:
        raise Unusable(f"{place.name} is sensitive, and its value is never shown",
                       hint="give another value along with it: then nobody needs to know the one before")
    if place.environment is None and said.inheritable is not None:
        raise Unusable("a variable of the project is every environment's: nothing is inherited",
                       hint="set it at the environment that hands it on, or not")
    refuse_unfit(after)
    _refuse_in_build(place, after)
    return after


def _refuse_in_build(place: _Place, after: KeptVariable) -> None:
    """As the settings refuse it: a build runs before anybody has approved what it does."""
    protection = place.project.protection_of(place.branch) if place.environment else None
    if protection is None or not (after.sensitive and after.visible_build):
        return
    if protection.approvals or place.project.remote:
        raise Unusable(
            f"{place.name} is sensitive, {place.branch} is protected, and builds run before anything is approved",
            hint="a secret that builds need belongs to the project, one of the environment to its run time",
        )


def _refuse_of_settings(place: _Place) -> None:
    written = place.project.environment_variables(place.branch) if place.environment else place.project.variables
    if any(canonical_name(name) == place.name for name in written):
        raise VariableOfSettings(
            f"{place.name} of {place.words} stands in the operator's settings, which win",
            hint="have the operator remove it there first",
        )


def _warnings(after: KeptVariable | None) -> tuple[str, ...]:
    if after is None or not after.sensitive or is_maskable(after.content):
        return ()
    return (f"{after.name} has fewer than {SHORTEST} characters: it cannot be masked in logs",)


def _words(before: VariableRow | None, after: KeptVariable | None) -> str:
    if after is None:
        return "deleted"
    if before is None:
        return "created"
    return "none" if before.variable == after else "updated"


def _shape(place: _Place, change: str, row: VariableRow | None, *, plan: bool) -> VariableChangeShape:
    return VariableChangeShape(
        change=change, planned=plan, variable=shape_of(row, place.branch) if row else None, effects=(), activity=None,
    )
