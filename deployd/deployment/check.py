"""The last phase: whether the release is a good one. Smoke tests may be asked before anybody is held, too.

    switch ─► (post_deploy hook, the old version leaves) ─► watched until `watch_seconds` after the switch ─► judged
      bad ─► the activity fails; with `on_bad_release: revert` a rollback to the version before is asked for in the
             same transaction (`bad_release.py`), and is next in the lane

Nothing is undone here: the version is live, and what takes it back is an ordinary rollback. A daemon that comes back
watches on to the same end.
"""

from __future__ import annotations

from deployd.activity.log import Tell
from deployd.deployment.checking import BadRelease, policy_for, watch
from deployd.deployment.deferred import deferred_of
from deployd.deployment.deployment import Deployment
from deployd.deployment.mode import Target
from deployd.deployment.results import AskedBefore, Judged, Watched
from deployd.release.checks.before_switch import refuse_failing
from deployd.release.checks.policy import Policy
from deployd.release.ports import Host
from deployd.release.version import is_same


async def ask_before_freeze(deployment: Deployment, host: Host, tell: Tell) -> AskedBefore:
    """Ask the smoke tests that are to be asked before the switch, while visitors see the version before.

    Not where there is no such version, and not where applications are started only when visitors are held: there they
    are asked right before the switch. A version that was live is not kept from coming back.

    Raises:
        SmokeTestFailed: The new version does not pass one.
    """
    policy = await policy_for(deployment, host)
    if not policy.before_switch or deployment.mode.target is Target.EARLIER:
        return AskedBefore(True)
    if deployment.planned.before is None or deferred_of(deployment).anything:
        return AskedBefore(False)
    await refuse_failing(policy.before_switch, deployment.release, host, tell, host.settings.answer_seconds)
    return AskedBefore(True)


async def watch_release(deployment: Deployment, host: Host, tell: Tell) -> Watched:
    """Watch the version that is live, for `watch_seconds` from the switch on."""
    policy = await policy_for(deployment, host)
    if not policy.is_watched:
        return Watched("unwatched")
    tell.line(f"the new version is watched, until {policy.watch_seconds} s after the switch")
    found = await watch(deployment, host, tell, policy)
    if found.verdict != "bad":
        tell.line(f"watched: {found.said}")
        return Watched(found.verdict, found.said)
    why_not = await _why_it_stays(deployment, host, policy)
    before = deployment.planned.before
    back_to = before.activity if before is not None and not why_not else None
    return Watched("bad", tell.clean(found.said), tuple(map(tell.clean, found.lines)), why_not, back_to)


async def _why_it_stays(deployment: Deployment, host: Host, policy: Policy) -> str:
    """Why the version before does not come back by itself; empty: it does."""
    before = deployment.planned.before
    if policy.on_bad_release != "revert":
        return "on_bad_release is report"
    if not deployment.mode.may_be_reverted:
        return "what somebody asked for by name is not taken back"
    if before is None:
        return "there is no version before"
    if is_same(before, deployment.version):
        return "the version before is the same"
    if await host.facts.is_bad(before.activity):
        return f"the version before (activity {before.activity}) was a bad release too"
    lock = await host.facts.lock(deployment.environment)
    return lock.said(deployment.branch) if lock is not None else ""


async def judge_release(deployment: Deployment, host: Host, tell: Tell) -> Judged:
    """
    Raises:
        BadRelease: It is bad. What comes of it is decided when the activity ends.
    """
    watched = deployment.journal.result("watch_release", Watched)
    if watched.verdict == "bad":
        raise BadRelease(f"a bad release: {watched.said}", evidence=watched.lines)
    return Judged()
