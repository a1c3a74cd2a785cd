"""Phase 6: the new version answers, the routes are switched in one step, held requests go on, the old version leaves.

The switch is the point of no return: before it everything is undone, after it a failure is told and nothing is undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from deployd.activity.log import Tell
from deployd.deployment.checking import ask_before_switch, watched_while
from deployd.deployment.deployment import Deployment
from deployd.deployment.ended_starts import tell_ended_starts
from deployd.deployment.freeze_report import words_of_switch
from deployd.deployment.results import Healthy, PostDeployed, Retired, Switched
from deployd.errors import DeployError, Transient
from deployd.project.model import Application
from deployd.release.answers.not_answering import NotAnswering
from deployd.release.answers.probe import wait_until_answering
from deployd.release.answers.reports import refuse_errors, tell_answers
from deployd.release.applications.further_instances import start_further
from deployd.release.applications.hook_runs import end_hook, forget_hooks, run_hook
from deployd.release.configuration import read_config
from deployd.release.container_removal import ensure_gone
from deployd.release.data.mount_copy import remove_snapshot
from deployd.release.images_missing import instead_of
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.routes import route_set
from deployd.release.services.fronts import load_fronts, turn_fronts
from deployd.release.services.service import remove_set_aside
from deployd.release.version import Version
from deployd.release.version_removal import remove_version, unmount_unused, versions_there
from deployd.router.control import RouterUnanswered

DRAIN_SECONDS = 0.3
"""Requests that the router sent on just before the switch arrive at the old web server within this time."""
RETIRE_AGAIN_SECONDS = 5.0


class NotSwitched(DeployError):
    """The routes are what they were, for certain."""

    code: ClassVar[str] = "not-switched"
    certainly_not_done: ClassVar[bool] = True


async def wait_until_healthy(deployment: Deployment, host: Host, tell: Tell) -> Healthy:
    """Each application answers requests.

    Raises:
        NotAnswering: One does not; its last output is the evidence.
        FrontNotTurned: A service before them does not take what it is to do.
        AnswersWithError: One answers visitors with an error, where the settings want it to do better.
        SmokeTestFailed: The version does not pass a smoke test that is asked before the switch.
    """
    config = await read_config(deployment.release, host)
    await start_further(deployment.release, host, config, tell)
    await in_parallel(_answering(deployment, host, app) for app in config.applications)
    await load_fronts(deployment.release, host)
    routes = await route_set(deployment.release, host)   # what is wrong with them comes out while there is a way back
    await refuse_errors(deployment.release, host, routes)
    await ask_before_switch(deployment, host, tell)
    await _prepare_certificates(deployment.version, host)
    return Healthy(tuple(app.name for app in config.applications))


async def turn_back(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: services before the applications lead to the version before, whose containers are there yet."""
    if deployment.before is not None:
        await turn_fronts(deployment.before, host)


async def _prepare_certificates(version: Version, host: Host) -> None:
    """Hooks ask the environment's own hosts as soon as it is live."""
    if host.certificates is not None:
        parts = [urlsplit(url) for url in version.routes]
        await host.certificates.prepare({part.hostname for part in parts if part.scheme == "https" and part.hostname})


async def _answering(deployment: Deployment, host: Host, app: Application) -> None:
    try:
        await wait_until_answering(deployment.release, host, app, host.settings.answer_seconds)
    except NotAnswering as error:
        error.what += instead_of(host.catalogue, app)
        raise


async def switch(deployment: Deployment, host: Host, tell: Tell) -> Switched:
    """Point the environment's hosts at the new containers and release what was held, in one router command.

    Raises:
        NotSwitched: Certainly nothing was switched; requests are held until the freeze ends.
    """
    try:
        for name in await turn_fronts(deployment.release, host):
            tell.line("leads to the new version", app=name)
        released = await host.router.switch(await route_set(deployment.release, host))
    except RouterUnanswered:
        raise   # nobody knows: it is done again
    except DeployError as error:
        await _refuse_unless_switched(deployment, host, error)
        raise
    await host.facts.set_live(deployment.environment, deployment.version)
    if words := words_of_switch(released):
        tell.line(words)
    for url in deployment.planned.urls[:3]:
        tell.done(url)
    return Switched(host.clock.now(), released)


async def _refuse_unless_switched(deployment: Deployment, host: Host, error: DeployError) -> None:
    """An earlier try may have switched, and its answer been lost. Only who is sure that none did closes no way back."""
    first = deployment.journal.last("switch") is None
    if first or await host.router.look(deployment.key) != str(deployment.planned.version.activity):
        raise NotSwitched(
            f"nothing was switched: {error.what}", where=error.where, evidence=error.evidence, hint=error.hint,
        ) from error


async def run_post_deploy(deployment: Deployment, host: Host, tell: Tell) -> PostDeployed:
    """Run the post_deploy hooks, with traffic. One that fails marks the activity failed; the new version stays.

    Raises:
        HookFailed: A hook's last command ended with another status than 0.
        HookOverran: A hook did not end in its time.
        BadRelease: The release is bad, and the hooks are not waited for.
    """
    config = await read_config(deployment.release, host)
    apps = [app for app in config.applications if app.hooks.post_deploy is not None]
    if apps:
        await watched_while(deployment, host, tell, _run_post_deploy(deployment, host, tell, apps))
    return PostDeployed(tuple(app.name for app in apps))


async def _run_post_deploy(deployment: Deployment, host: Host, tell: Tell, apps: Sequence[Application]) -> None:
    for app in apps:
        if app.hooks.post_deploy is not None:
            await run_hook(deployment.release, host, tell, app, "post_deploy", app.hooks.post_deploy)


async def retire_old(deployment: Deployment, host: Host, tell: Tell) -> Retired:
    """Let the old containers answer what they have and remove them, with services and mounts that nobody uses.

    Raises:
        Transient: Something is still there; old workers must not work beside the new ones.
    """
    try:
        _, retired = await in_parallel([tell_answers(deployment.release, host, tell), _retire(deployment, host, tell)])
    except DeployError as error:
        raise Transient(error, RETIRE_AGAIN_SECONDS) from error
    assert retired is not None
    return retired


def _seconds_to_drain(deployment: Deployment, now: datetime) -> float:
    """What is left of the drain time, which began with the switch: often the post_deploy hook took longer."""
    switched = deployment.journal.last("switch")
    since = (now - switched.at).total_seconds() if switched else 0.0
    return min(max(DRAIN_SECONDS - since, 0.0), DRAIN_SECONDS)   # a clock that was set back makes it no longer


async def _retire(deployment: Deployment, host: Host, tell: Tell) -> Retired:
    for app in deployment.planned.version.apps:   # one that its step did not wait for any longer
        await end_hook(deployment.release, host, app.name, "post_deploy")
    kept = deployment.version.kept_parts()
    old = sorted(await versions_there(deployment.release, host, kept) - {str(deployment.id)})
    if old:
        await asyncio.sleep(_seconds_to_drain(deployment, host.clock.now()))
    began = asyncio.get_running_loop().time()
    for activity in old:
        await remove_version(deployment.release, host, activity, but_for=kept.get(activity, frozenset()))
    for app in deployment.version.apps:
        if app.made_by is not None:
            await forget_hooks(deployment.release, host, app.name)
    if asyncio.get_running_loop().time() - began > host.settings.drain_seconds > 0:
        tell.line(f"what was still open on the earlier version after {host.settings.drain_seconds} s was closed")
    for planned in deployment.planned.plan.services:
        if planned.action == "remove":
            await ensure_gone(host, deployment.names.service(planned.name), stop_seconds=60)
            tell.line(f"service {planned.name} removed, its volume is kept")
    await remove_set_aside(deployment.place, host)
    await remove_snapshot(deployment.release, host)
    await tell_ended_starts(deployment, host, await read_config(deployment.release, host), tell)
    before = deployment.planned.before
    await unmount_unused(host, before.apps if before else ())
    return Retired(tuple(old))
