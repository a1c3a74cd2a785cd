"""How an environment goes to rest: visitors are kept, what runs ends, and its data stays.

    pause        the next visitor wakes it; the router knows its hosts all the time
    deactivate   its containers, its network and its hosts go too, until a person activates it

Until the last step all of it is undone, by a failure or a cancel: then it runs as before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.deployment.delete import refuse_protected
from deployd.deployment.deployment import Deployment
from deployd.errors import DeployError
from deployd.release.applications.cron_runs import wait_for_crons
from deployd.release.ports import Host
from deployd.release.rest import find_live, remove_runs, stop_release
from deployd.release.routes import asleep_routes, route_set
from deployd.release.start_again import start_release, start_workers_of, wait_until_release_answers
from deployd.release.version_removal import unmount_unused
from deployd.state.rests import AWAKE, INACTIVE, PAUSED

UNDER_WAY_SECONDS = 0.3
"""Requests that the router had sent on before it was told reach their containers within this time."""


class EnvironmentGone(DeployError):
    """The environment was deleted meanwhile."""

    code: ClassVar[str] = "environment-gone"


@dataclass(frozen=True, slots=True)
class Stopped:
    containers: int
    """That ran until now."""


@dataclass(frozen=True, slots=True)
class AtRest:
    rest: str
    """`paused` or `inactive`."""


async def close_environment(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Hold whoever comes from now on; crons that run are waited for before, for a minute at most.

    Raises:
        EnvironmentGone: There is nothing any more that could be at rest.
        ProtectedStays: It is to be deactivated, and is protected by now.
    """
    if deployment.activity.kind == "deactivate":
        refuse_protected(deployment)
    if await host.facts.rest(deployment.environment) is None:
        raise EnvironmentGone(f"there is no environment of {deployment.branch} any more")
    release = await find_live(deployment.place, host)
    if release is None or await host.facts.rest(deployment.environment) != AWAKE:
        return   # nobody gets to it
    await wait_for_crons(release, host, tell)
    await host.router.switch(await asleep_routes(release, host))


async def reopen_environment(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: visitors get to what runs again."""
    release = await find_live(deployment.place, host)
    if release is not None and await host.facts.rest(deployment.environment) == AWAKE:
        released = await host.router.switch(await route_set(release, host))
        tell.line(f"visitors: on what was live before; {released.held} had waited")


async def stop_containers(deployment: Deployment, host: Host, tell: Tell) -> Stopped:
    """Let all that runs answer what it has, and end."""
    release = await find_live(deployment.place, host)
    if release is None:
        return Stopped(0)
    await asyncio.sleep(UNDER_WAY_SECONDS)
    count = await stop_release(release, host)
    tell.line(f"{count} containers stopped")
    return Stopped(count)


async def start_containers_again(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: all that ran runs again."""
    release = await find_live(deployment.place, host)
    if release is None or await host.facts.rest(deployment.environment) != AWAKE:
        return
    await stop_release(release, host)   # a stop that was given up half-way goes on in the engine: its end is awaited
    await start_release(release, host)
    await wait_until_release_answers(release, host)
    await start_workers_of(release, host)
    tell.line("started again")


async def fall_asleep(deployment: Deployment, host: Host, tell: Tell) -> AtRest:
    """From now on nobody looks after what has stopped, and crons are not run."""
    await host.facts.set_rest(deployment.environment, PAUSED)
    release = await find_live(deployment.place, host)
    if release is not None:
        await unmount_unused(host, release.version.apps, release.version.activity)
    tell.done(f"{deployment.branch} is paused: the next visitor wakes it, or `deployd environment wake"
              f" {deployment.project.id} {deployment.branch}`")
    return AtRest(PAUSED)


async def let_go(deployment: Deployment, host: Host, tell: Tell) -> AtRest:
    """Let its hosts, containers and network go; volumes of services and files of mounts stay."""
    await host.facts.set_rest(deployment.environment, INACTIVE)
    await host.router.remove(deployment.key)
    count = await remove_runs(deployment.place, host)
    tell.done(f"{deployment.branch} is inactive: {count} containers removed, its data is kept; `deployd environment"
              f" activate {deployment.project.id} {deployment.branch}` deploys its branch again")
    return AtRest(INACTIVE)
