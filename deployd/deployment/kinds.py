"""The kinds of activities that there are, one row each. Backups, say, would be one more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from deployd.activity.journal import Journal
from deployd.activity.kinds import Kind
from deployd.deployment import steps
from deployd.deployment.bad_release import note_bad_release
from deployd.deployment.deployment import Deployment
from deployd.deployment.failure_report import REPORTS
from deployd.deployment.mode import Mode, Target
from deployd.deployment.source_operation import deploy_source
from deployd.release.ports import Host
from deployd.state.activities import Activity

DeploymentKind = Kind[Deployment, Host]


def _view(mode: Mode, host: Host, activity: Activity, journal: Journal) -> Deployment:
    settings = host.settings
    return Deployment(activity, settings.projects[activity.project], settings.instance, journal, mode)


def _deploys(target: Target, **more: bool) -> Callable[[Host, Activity, Journal], Deployment]:
    return partial(_view, Mode(target, **more))


_ROLLBACK = DeploymentKind("rollback", steps.ROLLBACKS, _deploys(Target.EARLIER), REPORTS, has_reserve=True)
_AFTERWARDS = partial(note_bad_release, _ROLLBACK)

PUSH = DeploymentKind(
    "push", steps.PUSHES, _deploys(Target.COMMIT, waits_for_unlock=True, may_be_reverted=True), REPORTS, _AFTERWARDS,
    makes_environment=True, supersedes=True, also_supersedes=("promote",), asks_gate=True,
)
PROMOTE = DeploymentKind(
    "promote", steps.PUSHES[:1], _deploys(Target.COMMIT, waits_for_unlock=True, may_be_reverted=True), REPORTS,
    _AFTERWARDS, makes_environment=True, has_reserve=True, supersedes=True, also_supersedes=("push",),
    asks_gate=True,
)
REDEPLOY = DeploymentKind("redeploy", steps.PUSHES, _deploys(Target.LIVE, starts_anew=True), REPORTS, _AFTERWARDS)
VARIABLE = DeploymentKind(
    "variable", steps.PUSHES, _deploys(Target.LIVE, waits_for_unlock=True), REPORTS, _AFTERWARDS,
    needs_environment=True, supersedes=True,
)
"""What is live with the variables of now. Nothing that they do not change is built or started anew."""
ROLLBACK = replace(_ROLLBACK, afterwards=_AFTERWARDS)
DELETE = DeploymentKind(
    "delete", (steps.DELETE,), _deploys(Target.NOTHING), ends_environment=True, has_reserve=True,
    held_when_locked=True,
)
ACTIVATE = DeploymentKind(
    "activate", steps.PUSHES, _deploys(Target.COMMIT, waits_for_unlock=True), REPORTS, _AFTERWARDS,
    makes_environment=True, asks_gate=True,
)
PAUSE = DeploymentKind(
    "pause", (steps.PAUSE,), _deploys(Target.NOTHING), REPORTS, needs_environment=True, ends_runs=True,
    has_reserve=True,
)
DEACTIVATE = DeploymentKind(
    "deactivate", (steps.DEACTIVATE,), _deploys(Target.NOTHING), REPORTS, needs_environment=True, ends_runs=True,
    has_reserve=True, held_when_locked=True,
)
WAKE = DeploymentKind(
    "wake", (steps.WAKE,), _deploys(Target.NOTHING), needs_environment=True, has_share=False,   # one for an environment
)
OPERATION = DeploymentKind("operation", (steps.OPERATION,), _deploys(Target.NOTHING), needs_environment=True)
SOURCE_OPERATION = DeploymentKind(
    "source-operation", (steps.SOURCE_OPERATION,), _deploys(Target.NOTHING), afterwards=partial(deploy_source, PUSH),
    needs_environment=True,
)
PURGE = DeploymentKind(
    "purge", (steps.PURGE,), _deploys(Target.NOTHING), ends_environment=True, has_share=False,   # the daemon's own
)

KINDS = {kind.name: kind for kind in (
    PUSH, PROMOTE, REDEPLOY, VARIABLE, ROLLBACK, ACTIVATE, PAUSE, DEACTIVATE, WAKE, DELETE, OPERATION, SOURCE_OPERATION,
    PURGE,
)}
