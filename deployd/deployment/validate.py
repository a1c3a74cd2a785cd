"""Phase 1: fetch the code, read and check the configuration, compute the plan. Visitors notice nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from deployd.activity.log import Tell
from deployd.deployment.deployment import Deployment
from deployd.deployment.desired import Candidate, find_wanted, wanted_services
from deployd.deployment.mode import Target
from deployd.deployment.outbound_report import tell_outbound
from deployd.deployment.results import Fetched, Planned
from deployd.environment.routes import routes_of
from deployd.errors import DeployError, Transient
from deployd.forges.known import FORGES
from deployd.ids import CommitId
from deployd.plan import NOTHING_LIVE, WantedApp, WantedService, make_plan
from deployd.project.model import ProjectConfig
from deployd.release.configuration import config_of
from deployd.release.data.volumes import files_to_give
from deployd.release.ports import Host
from deployd.release.services.sizes import raised_words
from deployd.release.services.trials import Tried, refuse_failing_trials
from deployd.release.version import Version

LONGEST_SUBJECT = 200
"""Characters that are kept of the first line of a commit's message, and of its author's name."""
REMOTE_BEHIND_SECONDS = 5.0


class CommitGone(DeployError):
    """The commit to deploy is not in the repository."""

    code = "commit-gone"


class PlanRefused(DeployError):
    """The files are right, but what they ask for would lose data."""

    code = "plan-refused"


async def fetch(deployment: Deployment, host: Host, tell: Tell) -> Fetched:
    """Have the commit in the project's mirror.

    Raises:
        CommitGone: The branch was deleted before it could be fetched.
        Transient: The remote could not be reached, or does not show what was pushed.
    """
    activity = deployment.activity
    if activity.trigger.said:
        tell.line(activity.trigger.said)
    if activity.trigger.how in FORGES:
        commit = await _tip_of_remote(deployment, host, tell)
    elif deployment.mode.target is Target.LIVE:
        commit = await _live(deployment, host)
    else:
        commit = activity.commit or await _tip(deployment, host)
    about = await host.code.about(deployment.project.id, commit)
    tell.line(f"{commit[:8]} {about.subject} ({about.author})")
    return Fetched(commit, about.subject[:LONGEST_SUBJECT], about.author[:LONGEST_SUBJECT])


async def _live(deployment: Deployment, host: Host) -> CommitId:
    """What is live now, and not when it was asked for: a push that it waited for may have gone live since."""
    live = await host.facts.live(deployment.environment)
    return live.commit if live is not None else deployment.activity.commit or await _tip(deployment, host)


async def _tip(deployment: Deployment, host: Host) -> CommitId:
    commit = await host.code.tip(deployment.project.id, deployment.branch)
    if commit is None:
        raise CommitGone(f"there is no branch {deployment.branch} in the repository", hint="push the branch again")
    return commit


async def _tip_of_remote(deployment: Deployment, host: Host, tell: Tell) -> CommitId:
    """The branch as it is now, and not as the delivery says: these come late, twice and out of order.

    Sometimes one comes before the forge shows what it tells about, so a commit that the branch does not hold is waited
    for. One that was forced away meanwhile never comes; the push that forced it has an activity of its own.
    """
    await host.code.fetch(deployment.project)
    tip, pushed = await _tip(deployment, host), deployment.activity.commit
    if pushed is None or pushed == tip:
        return tip
    if await host.code.contains(deployment.project.id, deployment.branch, pushed):
        tell.line(f"{deployment.branch} has moved on from {pushed[:8]} to {tip[:8]}: that is deployed")
        return tip
    raise Transient(CommitGone(
        f"{deployment.branch} of the remote does not hold the commit {pushed[:8]}, which was pushed",
        hint="it was forced away, or the forge is behind: push again when nothing newer is deployed",
    ), REMOTE_BEHIND_SECONDS)


async def read_and_plan(deployment: Deployment, host: Host, tell: Tell) -> Planned:
    """Read the configuration at the commit and say what will be done, and why.

    Raises:
        ConfigurationRefused: It has errors; nothing was changed.
        PlanRefused: It would lose data.
        SubmoduleMissing, SubmoduleRefused, SubmodulesTooLarge: A build would fail for want of a submodule.
    """
    project = deployment.project
    first_try = deployment.journal.last("read_and_plan") is None   # another one need not repeat the warnings
    config = await config_of(project, deployment.commit, host, tell if first_try else None)
    if deployment.mode.target is Target.COMMIT and project.remote is not None:   # of others the pusher was told
        await _prefetch_submodules(deployment, host, config, tell)
    before = await host.facts.live(deployment.environment)
    if deployment.mode.target is Target.EARLIER:
        version, apps, services = await _earlier(deployment, host, config)
    else:
        wanted = await find_wanted(
            host, Candidate(
                deployment.place, deployment.id, deployment.commit, config, deployment.activity.trigger.anew,
            ), before, tell.line,
        )
        version, apps, services = wanted.version, wanted.apps, wanted.services
        for warning in wanted.warnings:
            tell.warn(warning)
    plan = make_plan(
        apps, services, version.routes, before.as_live() if before else NOTHING_LIVE,
        rolling=host.settings.strategy_of(project, deployment.branch) == "rolling",
        freeze_seconds=host.settings.freeze_seconds,
        given_files=await files_to_give(host, deployment.environment, before, version.uid),
    )
    for line in plan.lines():
        tell.line(line)
    await tell_outbound(config, host, tell)
    for service in config.services:
        if words := raised_words(host.settings, service):
            tell.line(words)
    if plan.refusals:
        raise PlanRefused(plan.refusals[0], evidence=plan.refusals[1:])
    if deployment.mode.target is not Target.EARLIER:
        await refuse_failing_trials(deployment.place, deployment.id, host, Tried(config, version, before), tell)
    routes = routes_of(host.settings, project, deployment.environment, deployment.branch, config)
    upstream = [route for route in routes.routes if route.type == "upstream"]
    return Planned(
        version, before, plan, tuple(route.url for route in sorted(upstream, key=lambda r: not r.primary)),
        await asyncio.to_thread(host.places.data(deployment.environment).is_dir),
    )


async def _prefetch_submodules(deployment: Deployment, host: Host, config: ProjectConfig, tell: Tell) -> None:
    prefetched = await host.code.prefetch_submodules(deployment.project, deployment.commit, config)
    for note in prefetched.notes():
        tell.warn(note)
    for other in prefetched.errors[1:]:
        for line in other.lines():
            tell.line(line)
    if prefetched.errors:
        raise prefetched.errors[0]


async def _earlier(
    deployment: Deployment, host: Host, config: ProjectConfig,
) -> tuple[Version, tuple[WantedApp, ...], tuple[WantedService, ...]]:
    """The version that a rollback goes back to, under the containers' names of this activity."""
    target = deployment.activity.trigger.to
    earlier = await host.facts.version_of(target) if target is not None else None
    if earlier is None:
        raise CommitGone(f"there is no version {target} to go back to", hint="`deployd activities` shows what there is")
    apps_then = tuple(replace(app, made_by=None) for app in earlier.apps)
    version = Version(
        deployment.id, earlier.commit, apps_then, earlier.services, earlier.routes,
        await host.facts.uid(deployment.project.id),
        await host.facts.variables_now(deployment.project, deployment.branch),
    )
    return version, *await wanted_again(host, config, earlier)


async def wanted_again(
    host: Host, config: ProjectConfig, earlier: Version,
) -> tuple[tuple[WantedApp, ...], tuple[WantedService, ...]]:
    """Applications and services of an earlier version, as the plan compares them.

    Args:
        config: Of its commit.

    Raises:
        CommitGone: What was built is not in storage any more.
    """
    apps = []
    for app in earlier.apps:
        if not await host.slugs.has(app.slug):
            raise CommitGone(
                f"the slug of {app.name} of that version is not in storage any more",
                hint="push the older commit again: it will be built anew",
            )
        apps.append(WantedApp(app.name, app.slug, app.parts, True, app.running, instances=app.instances))
    return tuple(apps), wanted_services(host.settings, config, earlier.services)
