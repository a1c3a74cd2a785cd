"""The end of a push to an environment that is locked: it is built, and waits.

A rollback or a redeploy is somebody's own request, and is not held; a lock keeps what is live from changing behind
their back.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployd.activity.cancellation import Hold
from deployd.activity.log import Tell
from deployd.deployment.deployment import Deployment
from deployd.release.ports import Host


@dataclass(frozen=True, slots=True)
class Open:
    """Nobody has locked the environment."""


async def wait_for_unlock(deployment: Deployment, host: Host, tell: Tell) -> Open:
    """Go on unless the environment is locked.

    Raises:
        Hold: It is. What is packed stays, so that it goes live in a moment when the lock is taken away.
    """
    if not deployment.mode.waits_for_unlock:
        return Open()
    lock = await host.facts.lock(deployment.environment)
    if lock is not None:
        raise Hold(lock.said(deployment.activity.branch))
    return Open()
