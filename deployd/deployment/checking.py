"""What phases have in common that ask whether a release is a good one; the steps of that are in `check.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar

from deployd.activity.incidents import unwrap
from deployd.activity.journal import STARTED
from deployd.activity.log import Tell
from deployd.deployment.deployment import Deployment
from deployd.deployment.results import AskedBefore
from deployd.errors import DeployError
from deployd.release.checks.before_switch import refuse_failing
from deployd.release.checks.policy import Policy, policy_of
from deployd.release.checks.request_log import RequestLog
from deployd.release.checks.smoke import Answered, ask_all
from deployd.release.checks.watch import Found, Span, Watch
from deployd.release.configuration import read_config
from deployd.release.ports import Host

HELD_SECONDS = 3.0
"""Right before the switch the applications answer already, and visitors may be held."""


class BadRelease(DeployError):
    """What has become live is worse than what was."""

    code: ClassVar[str] = "bad-release"


async def policy_for(deployment: Deployment, host: Host) -> Policy:
    """What the deployment's version has to pass."""
    config = await read_config(deployment.release, host)
    return policy_of(host.settings, deployment.project, deployment.branch, deployment.type, config.checks)


async def ask_before_switch(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Ask the smoke tests that are to be asked before the switch, unless that was done before the freeze.

    Raises:
        SmokeTestFailed: The new version does not pass one.
    """
    try:
        if deployment.journal.result("ask_before_freeze", AskedBefore).asked:
            return
    except LookupError:   # begun by an earlier deployd
        return
    policy = await policy_for(deployment, host)
    if policy.before_switch:
        await refuse_failing(policy.before_switch, deployment.release, host, tell, HELD_SECONDS)


async def watched_while(
    deployment: Deployment, host: Host, tell: Tell, work: Coroutine[Any, Any, None],
) -> None:
    """Do something after the switch that may take long, and watch the release meanwhile.

    Raises:
        BadRelease: It is bad; what is done is not waited for any longer.
    """
    policy = await policy_for(deployment, host)
    try:
        async with asyncio.TaskGroup() as group:
            if policy.is_watched:
                watching = group.create_task(_refuse_bad(deployment, host, tell, policy), name="watch of a release")
                await work
                watching.cancel()
            else:
                await work
    except ExceptionGroup as failed:
        raise unwrap(failed) from None


async def _refuse_bad(deployment: Deployment, host: Host, tell: Tell, policy: Policy) -> None:
    found = await watch(deployment, host, tell, policy)
    if found.verdict == "bad":
        raise BadRelease(
            f"a bad release: {found.said}", evidence=found.lines, hint="its post_deploy hook is not waited for",
        )


async def watch(deployment: Deployment, host: Host, tell: Tell, policy: Policy) -> Found:
    """Watch the version that is live until something is known of it, or the time is over."""
    async def overtaken() -> str:
        return await host.facts.waiting_behind(deployment.environment, deployment.id)

    async def asked() -> Sequence[Answered]:
        return await ask_all(policy.smoke, deployment.release, host)

    frozen, switched = (_began(deployment, step) for step in ("freeze", "switch"))
    log = RequestLog(host.places.access_log(deployment.environment), frozen or switched, switched)
    span = Span(switched, switched + policy.watch_seconds)
    return await Watch(span, log, host.clock, tell, asked, overtaken).run()


def _began(deployment: Deployment, step: str) -> float:
    """When a step began first; seconds since 1970. 0: it was not begun."""
    entries = deployment.journal.entries
    return next((entry.at.timestamp() for entry in entries if entry.step == step and entry.event == STARTED), 0.0)
