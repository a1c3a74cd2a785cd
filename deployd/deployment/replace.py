"""What the version before needs and this one has otherwise is replaced while visitors are held: services, and the owner
of the files in mounts. Then the applications start that need it.

    before the freeze   image there ─► container made, not started (`services.py`, `deploy.py`)
    in it               requests under way answered ─► old one stopped, put aside ─► new one gets its name, runs, ready
    undone              new applications ended ─► new one removed ─► old one gets its name back, runs, ready
    after the switch    what was put aside is removed (`retire_old`)

Both containers have the same volume and the same address, so never do both run. An application that is connected with
what goes away would answer its next visitor with an error: that is why those of the new version start after it.
"""

from __future__ import annotations

import asyncio

from deployd.activity.log import Tell
from deployd.deployment.deferred import Deferred, deferred_of
from deployd.deployment.deployment import Deployment
from deployd.deployment.results import Frozen, Replaced
from deployd.deployment.services_as_before import have_service_as_before, services_before
from deployd.engine.names import DIGEST
from deployd.project.model import Application, ProjectConfig
from deployd.release.answers.listening import greet, wait_until_listening
from deployd.release.answers.open_requests import wait_until_answered
from deployd.release.applications.start import in_order_of_need, start_app, web_servers
from deployd.release.configuration import read_config
from deployd.release.data.volumes import ensure_data_owner
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.services.fronts import lay_out_front, turn_fronts
from deployd.release.services.service import Wanted, ensure_provisioned, ensure_running, wanted_services
from deployd.release.version_removal import end_new_apps
from deployd.state.rests import AWAKE

STOP_SECONDS = 60


async def replace_services(deployment: Deployment, host: Host, tell: Tell) -> Replaced:
    """Replace what waited for the freeze, and start the applications that need it.

    Raises:
        ServiceNotReady: A service did not come up; its last log lines are the evidence.
    """
    deferred = deferred_of(deployment)
    if not deferred.anything:
        return Replaced()
    began = asyncio.get_running_loop().time()
    config = await read_config(deployment.release, host)
    await wait_until_answered(deployment.before, host, tell)
    wanted = await wanted_services(deployment.release, host, config, deferred.services)
    seconds = await in_parallel(_replace(deployment, host, tell, item) for item in wanted)
    if await ensure_data_owner(deployment.release, host, deployment.planned.version.uid):
        tell.line(f"the files of its mounts belong to the user {deployment.planned.version.uid} of the project now")
    apps = [app for app in in_order_of_need(config) if deferred.includes(app, config)]
    await _start(deployment, host, tell, config, apps)
    _tell_seconds(deployment, host, tell, deferred, asyncio.get_running_loop().time() - began)
    return Replaced(
        {item.name: round(took, 1) for item, took in zip(wanted, seconds, strict=True)},
        tuple(app.name for app in apps),
    )


async def put_back_replaced(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: what was replaced becomes what it was, while visitors are still held. May be repeated.

    Raises:
        ServiceNotReady: A service does not come up as it was.
    """
    deferred, before = deferred_of(deployment), deployment.before
    if not deferred.anything or before is None:
        return
    await end_new_apps(deployment.release, host)   # they go anyway, and must not write into what is put back
    await in_parallel(_put_back(deployment, host, tell, item) for item in await services_before(deployment, host))
    await turn_fronts(before, host)
    await ensure_data_owner(deployment.release, host, before.version.uid)
    if await host.facts.rest(deployment.environment) == AWAKE:   # else they did not run
        await _start_anew(before, host, deferred)


async def _replace(deployment: Deployment, host: Host, tell: Tell, wanted: Wanted) -> float:
    """Seconds from the end of the old one until the new one is ready."""
    began = asyncio.get_running_loop().time()
    names, engine = deployment.names, host.engine
    own, following = names.service(wanted.name), names.next_service(wanted.name, deployment.id)
    await lay_out_front(deployment.release, host, wanted.service)
    there = await engine.container(own)
    if there is not None and there.labels.get(DIGEST) != wanted.version.digest:
        await engine.stop(own, STOP_SECONDS)
        await engine.ensure_renamed(own, names.earlier_service(wanted.name, deployment.id))
        there = None
    if there is None and await engine.container(following) is not None:
        await engine.ensure_renamed(following, own)
    await ensure_running(deployment.release, host, wanted)
    await ensure_provisioned(deployment.release, host, wanted, own)
    seconds = asyncio.get_running_loop().time() - began
    tell.line(f"{wanted.version.type} ready, replaced in {seconds:.1f} s", app=wanted.name)
    return seconds


async def _put_back(deployment: Deployment, host: Host, tell: Tell, wanted: Wanted) -> None:
    if deployment.before is not None:
        await lay_out_front(deployment.before, host, wanted.service)
    await have_service_as_before(deployment, host, wanted)
    if wanted.name not in deployment.copied_services:   # else its files are put back next
        await ensure_provisioned(deployment.release, host, wanted, deployment.names.service(wanted.name))
    tell.line(f"{wanted.version.type} as before again", app=wanted.name)


async def _start(
    deployment: Deployment, host: Host, tell: Tell, config: ProjectConfig, apps: list[Application],
) -> None:
    if not apps:
        return
    image = await host.images.ensure(host.catalogue.web, tell.line)
    servers = await web_servers(deployment.release, host, image, apps)
    for app in apps:
        await start_app(deployment.release, host, config, app, servers[app.name])
    await in_parallel(greet(deployment.release, host, tell, app) for app in apps)


async def _start_anew(earlier: Release, host: Host, deferred: Deferred) -> None:
    """Have the applications of the version before connect anew with what came back, before they are visited again."""
    config = await read_config(earlier, host)
    for app in in_order_of_need(config):
        if Deferred(deferred.services).includes(app, config):
            for container in (earlier.container("app", part) for part in earlier.webs(app.name)):
                await host.engine.stop(container)
                await host.engine.start(container)
            await wait_until_listening(earlier, host, app, host.settings.answer_seconds)


def _tell_seconds(deployment: Deployment, host: Host, tell: Tell, deferred: Deferred, seconds: float) -> None:
    what = ", ".join(sorted(deferred.services)) or "the owner of its files"
    tell.line(f"replaced {what} in {seconds:.1f} s, and started what needs it")
    freeze = deployment.journal.last("freeze")
    if freeze is None or not deployment.journal.result("freeze", Frozen).held:
        return
    held, limit = (host.clock.now() - freeze.at).total_seconds(), host.settings.freeze_seconds
    if held > limit:
        tell.warn(f"visitors were to be held for {limit:g} s, and this took {held:.0f} s: who came later sees the"
                  " maintenance page until the switch")
