"""The end of a push to an environment that is locked, or protected and not open to it yet: it is built, and waits.

A rollback or a redeploy is somebody's own request, and is not held; a lock keeps what is live from changing behind
their back. A protected environment takes a push or a promotion when the gate lets it through (`promotion/gate.py`):
what waits has no slot and no lane, its slugs stay, and once nothing stands in the way it is live within seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployd.activity.cancellation import Hold
from deployd.activity.log import Tell
from deployd.deployment.deployment import Deployment
from deployd.deployment.mode import Target
from deployd.deployment.offer import make_offer
from deployd.release.ports import Host
from deployd.release.tickets import is_contained


@dataclass(frozen=True, slots=True)
class Open:
    """Nobody has locked the environment, and its gate is open."""

    digest: str = ""
    """Of what passed the gate; empty where there is none."""


async def wait_for_unlock(deployment: Deployment, host: Host, tell: Tell) -> Open:
    """Go on unless the environment is locked, or its gate has not opened.

    Raises:
        Hold: It is. What is packed stays, so that it goes live in a moment when nothing stands in the way.
        TicketEnded: Somebody ended its ticket meanwhile.
    """
    if not deployment.mode.waits_for_unlock:
        return Open()
    takes_commits = deployment.mode.target is Target.COMMIT
    if takes_commits and (deployment.is_protected or await host.facts.has_open_ticket(deployment.id)):
        return await _pass_gate(deployment, host, tell)
    lock = await host.facts.lock(deployment.environment)
    if lock is not None:
        raise Hold(lock.said(deployment.activity.branch))
    return Open()


async def _pass_gate(deployment: Deployment, host: Host, tell: Tell) -> Open:
    offer = await make_offer(deployment, host)
    contained = await is_contained(host, deployment.project, deployment.branch, deployment.commit)
    verdict = await host.facts.ask_gate(deployment.activity, offer, is_contained=contained)
    for app, slug, where in offer.brief.slugs:
        tell.line(f"slug {slug[:12]}: {where}", app=app)
    if not verdict.is_open:
        raise Hold(verdict.said)
    tell.line("the gate is open: it goes live")
    return Open(offer.offered.digest)
