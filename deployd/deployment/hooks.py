"""Phase 5: what is due is looked at, requests are held, old workers stop, the deploy hook runs in the new containers.

The freeze has one absolute end, kept by the router: if the daemon dies, requests are held no longer than that.
"""

from __future__ import annotations

from deployd.activity.log import Tell
from deployd.deployment.deferred import deferred_of
from deployd.deployment.deployment import Deployment
from deployd.deployment.freeze_report import words_of_thaw
from deployd.deployment.results import Frozen, HookRan, Prepared
from deployd.errors import DeployError
from deployd.project.model import Hook
from deployd.release.applications.cron_runs import wait_for_crons
from deployd.release.applications.hook_runs import HookFailed, end_hook, run_hook
from deployd.release.configuration import read_config
from deployd.release.fingerprint import live_containers
from deployd.release.ports import Host
from deployd.release.routes import route_set
from deployd.release.services.fronts import load_fronts
from deployd.release.version_removal import stop_old_workers
from deployd.router.table import Released, RouteSet
from deployd.runtimes.magento.program import preparation
from deployd.state.rests import AWAKE


async def prepare(deployment: Deployment, host: Host, tell: Tell) -> Prepared:
    """Where a recipe deploys, look in the new containers what is due: visitors are held no longer than that needs.

    One that fails is told and nothing more: the deploy hook then does all of it. What stands before the applications
    learns of the new version, which takes it a second.

    Raises:
        FrontNotTurned: It does not take what it is to do.
    """
    await load_fronts(deployment.release, host, but_for=deferred_of(deployment).services)
    if not deployment.planned.plan.run_deploy_hook or deployment.planned.before is None:
        return Prepared(())
    looked = []
    for app in (await read_config(deployment.release, host)).applications:
        script = preparation(app)
        if script is None:
            continue
        try:
            await run_hook(deployment.release, host, tell, app, "prepare", Hook(script, app.place))
        except DeployError as error:
            tell.warn(f"what is due will only be known while visitors are held: {error.what}")
        looked.append(app.name)
    return Prepared(tuple(looked))


async def end_preparation(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo of the look: one that goes on is ended before its container goes."""
    for app in (await read_config(deployment.release, host)).applications:
        await end_hook(deployment.release, host, app.name, "prepare")


async def freeze(deployment: Deployment, host: Host, tell: Tell) -> Frozen:
    """Hold new requests and stop the old workers, when something is live and a deploy hook will run, or something is
    replaced that visitors need.

    Crons that run are waited for before, for a minute at most: they hold no visitors up.
    """
    await wait_for_crons(deployment.before, host, tell)
    if deployment.planned.before is None:
        return Frozen(False)
    if not deferred_of(deployment).anything and not await _hook_comes(deployment, host):
        return Frozen(False)
    routes = await _routes_for_operators(deployment, host, tell)   # may look names up: before anybody is held
    await host.router.freeze(deployment.key, host.settings.freeze_seconds)
    tell.line(f"requests are held, for {host.settings.freeze_seconds} s at most")
    if routes is not None:
        await _show_to_operators(routes, host, tell)
    await stop_old_workers(deployment.release, host, tell)
    return Frozen(True)


async def _hook_comes(deployment: Deployment, host: Host) -> bool:
    """Whether a deploy hook will run that the earlier version must not be visited beside."""
    plan = deployment.planned.plan
    if not plan.run_deploy_hook or plan.rolling:
        return False
    return any(app.hooks.deploy for app in (await read_config(deployment.release, host)).applications)


async def _routes_for_operators(deployment: Deployment, host: Host, tell: Tell) -> RouteSet | None:
    try:
        return await route_set(deployment.release, host)
    except DeployError as error:   # told again, as a failure, before the switch
        tell.warn(f"operators cannot see the new version before it is live: {error.what}")
        return None


async def _show_to_operators(routes: RouteSet, host: Host, tell: Tell) -> None:
    """Lead who has a pass to the new version; nothing fails for that."""
    try:
        await host.router.preview(routes)
    except DeployError as error:
        tell.warn(f"operators cannot see the new version before it is live: {error.what}")


async def thaw_to_old(deployment: Deployment, host: Host, tell: Tell) -> Released | None:
    """Undo of the freeze: release what was held to the version that was live, then start its workers again.

    Returns:
        What the freeze did; None when there was none.
    """
    before = deployment.planned.before
    if before is None:
        return None   # nobody was held
    released = await host.router.thaw(deployment.key)
    if await host.facts.rest(deployment.environment) != AWAKE:
        return released   # nothing ran before: who had waited wakes it, when it can be
    tell.line(f"visitors: on the earlier version again; {words_of_thaw(released)}")
    for worker in live_containers(before, await host.engine.containers(deployment.names.labels("worker"))):
        if not worker.running:
            await host.engine.start(worker.name)
    return released


async def run_deploy_hook(deployment: Deployment, host: Host, tell: Tell) -> HookRan:
    """Run the deploy hook of each application, one after the other.

    Raises:
        HookFailed: A hook's last command ended with another status than 0.
        HookOverran: A hook did not end in its time.
    """
    if not deployment.planned.plan.run_deploy_hook:
        tell.line(f"deploy hook not run: {deployment.planned.plan.deploy_hook_why}")
        return HookRan(())
    config = await read_config(deployment.release, host)
    ran = []
    for app in config.applications:
        if app.hooks.deploy is None:
            continue
        try:
            await run_hook(deployment.release, host, tell, app, "deploy", app.hooks.deploy)
        except HookFailed as error:
            if not _goes_on(deployment, host):
                raise
            tell.error(error)
            tell.warn("on_deploy_failure is keep: the new version becomes live all the same")
        ran.append(app.name)
    return HookRan(tuple(ran))


def _goes_on(deployment: Deployment, host: Host) -> bool:
    """Whether a failed deploy hook changes nothing, as on the hosted platforms."""
    return (deployment.project.on_deploy_failure or host.settings.on_deploy_failure) == "keep"


async def end_and_put_back(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo of the hook: one that still runs is ended before its container goes."""
    config = await read_config(deployment.release, host)
    for app in config.applications:
        await end_hook(deployment.release, host, app.name, "deploy")
