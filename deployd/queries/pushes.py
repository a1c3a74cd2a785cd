"""Whether a push that has ended can be asked for once more: its commit has to be the branch's newest still."""

from __future__ import annotations

from typing import ClassVar

from deployd.access.errors import NotFound
from deployd.activity.journal import DONE, Journal
from deployd.deployment import kinds
from deployd.deployment.results import Fetched
from deployd.errors import DeployError
from deployd.ids import ActivityId, CommitId
from deployd.release.ports import Host
from deployd.state import activities, entries
from deployd.state.activities import OPEN, Activity
from deployd.state.environments import Environment
from deployd.state.store import Store


class NotAgain(DeployError):
    """What an activity did cannot be asked for once more."""

    code: ClassVar[str] = "not-again"


async def choose_pushed(store: Store, host: Host, environment: Environment, push: int) -> CommitId:
    """The commit of a push that ended, to be deployed as if it were pushed now.

    Raises:
        NotFound: The environment has no such activity.
        NotAgain: It is no push, goes on still, or its branch has moved on: what was pushed since would be taken away.
    """
    found = await store.read(lambda db: activities.find(db, ActivityId(push)))
    if found is None or found.environment != environment.id:
        raise NotFound(f"{environment.branch} has no activity {push}")
    if found.kind != kinds.PUSH.name:
        raise NotAgain(f"activity {push} is a {found.kind} and not a push")
    if found.state in OPEN:
        raise NotAgain(f"push {push} has not ended yet", hint="wait for its end, or cancel it")
    commit, tip = await _commit_of(store, found), await host.code.tip(found.project, found.branch)
    if tip is None:
        raise NotAgain(f"there is no branch {found.branch} in the repository any more", hint="push it again")
    if commit is not None and commit != tip:
        raise NotAgain(
            f"{found.branch} has moved on from {commit[:8]} to {tip[:8]}, and push {push} is not its newest any more",
            hint=f"push to {found.branch} what is wanted, or revert to a version that was live",
        )
    return tip


async def _commit_of(store: Store, push: Activity) -> CommitId | None:
    """What it deployed, which may be another commit than a forge told of. None: it did not come so far."""
    journal = await store.read(lambda db: entries.all_of_activity(db, push.id))
    if any(entry.step == "fetch" and entry.event == DONE for entry in journal):
        return Journal(tuple(journal)).result("fetch", Fetched).commit
    return push.commit
