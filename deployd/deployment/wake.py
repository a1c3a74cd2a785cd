"""How a paused environment runs again: in the containers that it had, with nothing built and no hook run.

Whoever comes meanwhile is held by the router, for `wake_seconds`, and goes on when it answers. When it cannot be woken
it sleeps on as before, and nobody wakes it for a while, longer from time to time: else every visitor would try anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.deployment.deployment import Deployment
from deployd.deployment.freeze_report import words_of_waking
from deployd.deployment.pause import EnvironmentGone
from deployd.errors import DeployError
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.rest import find_live, stop_release
from deployd.release.routes import asleep_routes, route_set
from deployd.release.start_again import start_release, start_workers_of, wait_until_release_answers
from deployd.release.version_removal import unmount_unused
from deployd.router.control import RouterUnanswered
from deployd.router.table import Released
from deployd.state.rests import AWAKE, INACTIVE, PAUSED

QUIET_SECONDS, MOST_QUIET_SECONDS, MOST_FAILED = 10.0, 600.0, 7


class Inactive(DeployError):
    """The environment has no containers that could be started: it is activated by a deployment."""

    code: ClassVar[str] = "environment-inactive"


class NotWoken(DeployError):
    """The router lets nobody in, for certain."""

    code: ClassVar[str] = "not-woken"
    certainly_not_done: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Started:
    was_awake: bool
    """Nothing had to be done."""


@dataclass(frozen=True, slots=True)
class Woken:
    released: Released
    """Who had waited."""


async def start_containers(deployment: Deployment, host: Host, tell: Tell) -> Started:
    """Start services, web servers and applications.

    Raises:
        EnvironmentGone: It was deleted meanwhile.
        Inactive: It was deactivated.
    """
    rest = await host.facts.rest(deployment.environment)
    if rest == AWAKE:
        tell.line("it is awake already")
        return Started(was_awake=True)
    await start_release(await _release(deployment, host), host)
    tell.line("containers started")
    return Started(was_awake=False)


async def sleep_again(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: what was started ends, and the environment sleeps as before; nobody wakes it for a while."""
    if await host.facts.rest(deployment.environment) != PAUSED:
        return
    release = await find_live(deployment.place, host)
    if release is None:
        return
    seconds = quiet_seconds(await host.facts.failed_wakes(deployment.environment, MOST_FAILED))
    await host.router.switch(await asleep_routes(release, host, quiet_seconds=seconds))
    await stop_release(release, host)
    await unmount_unused(host, release.version.apps, release.version.activity)
    tell.line(f"it is paused as before; visitors are told so, and the first of them who comes after {seconds:.0f} s"
              " wakes it anew")


def quiet_seconds(failed: int) -> float:
    """How long visitors do not wake what could not be woken, by how often that failed before. Pure."""
    return min(QUIET_SECONDS * 2.0 ** failed, MOST_QUIET_SECONDS)


async def wait_until_awake(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Each application answers requests.

    Raises:
        NotAnswering: One does not; its last output is the evidence.
    """
    if not _was_awake(deployment):
        await wait_until_release_answers(await _release(deployment, host), host)


async def let_in(deployment: Deployment, host: Host, tell: Tell) -> Woken:
    """Point the environment's hosts at its containers and let in who waits, in one router command.

    Raises:
        NotWoken: Certainly nobody was let in; it sleeps on.
    """
    try:
        released = await host.router.switch(await route_set(await _release(deployment, host), host))
    except RouterUnanswered:
        raise   # nobody knows: it is done again
    except DeployError as error:
        if deployment.journal.last("let_in") is not None:   # an earlier try may have been carried out
            raise
        raise NotWoken(
            f"nobody was let in: {error.what}", where=error.where, evidence=error.evidence, hint=error.hint,
        ) from error
    await host.facts.set_rest(deployment.environment, AWAKE)
    tell.done(f"{deployment.branch} is awake{words_of_waking(released)}")
    return Woken(released)


async def wake_workers(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Start its workers."""
    if not _was_awake(deployment) and (names := await start_workers_of(await _release(deployment, host), host)):
        tell.line(f"{len(names)} workers started")


async def _release(deployment: Deployment, host: Host) -> Release:
    """
    Raises:
        EnvironmentGone, Inactive: It cannot be woken.
    """
    rest = await host.facts.rest(deployment.environment)
    release = await find_live(deployment.place, host) if rest is not None else None
    if rest is None:
        raise EnvironmentGone(f"there is no environment of {deployment.branch} any more")
    if rest == INACTIVE or release is None:
        raise Inactive(
            f"{deployment.branch} is inactive, and nothing of it can be started",
            hint=f"`deployd environment activate {deployment.project.id} {deployment.branch}` deploys its branch",
        )
    return release


def _was_awake(deployment: Deployment) -> bool:
    return deployment.journal.result("start_containers", Started).was_awake
