"""A version that is live, as a deployment that its routes and containers can be asked of. Pure."""

from __future__ import annotations

from datetime import datetime

from deployd.activity.journal import DONE, Journal, write_result
from deployd.deployment.version import Version
from deployd.deployment.view import Deployment, Fetched, Planned
from deployd.ids import EnvironmentName
from deployd.plan import Plan
from deployd.settings import ProjectSettings, Settings
from deployd.state.activities import Activity, Trigger
from deployd.state.entries import Entry


def as_live(
    version: Version, settings: Settings, project: ProjectSettings, environment: EnvironmentName, branch: str,
    now: datetime,
) -> Deployment:
    """The deployment that made a version live, as far as its routes need it."""
    planned = Planned(version, None, Plan((), (), run_deploy_hook=False), version.routes)
    journal = Journal((
        Entry("fetch", DONE, now, write_result(Fetched(version.commit))),
        Entry("read_and_plan", DONE, now, write_result(planned)),
    ))
    activity = Activity(
        version.activity, project.id, environment, branch, "push", 1, version.commit, Trigger("deployd", "daemon"),
        "success", "", now,
    )
    return Deployment(activity, project, settings.instance, journal)
