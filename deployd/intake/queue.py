"""A push becomes an activity: one transaction, durable before anybody is answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from deployd.clock import Clock
from deployd.deployment import kinds
from deployd.deployment.kinds import DeploymentKind
from deployd.deployment.requests import Request, Requests
from deployd.deployment.share import ShareTaken, Wanted
from deployd.deployment.stored import store
from deployd.ids import ActivityId, CommitId, ProjectId
from deployd.intake.push import GIT, Push, Receipt
from deployd.intake.push_options import NO_DEPLOY, SKIP_BUILD_CACHE
from deployd.state import activities, audit, deliveries, environments, kept_back, locks, tickets
from deployd.state.activities import Trigger
from deployd.state.audit import Deed, Result
from deployd.state.deliveries import Delivery
from deployd.state.store import Store


class StateQueue:
    """Makes activities of pushes."""

    def __init__(self, store: Store, clock: Clock, requests: Requests) -> None:
        self._store = store
        self._clock = clock
        self._requests = requests

    async def push(self, push: Push) -> Receipt:
        """An activity for a push; a delivery that was answered before gets the answer of then."""
        return await self._requests.write(lambda db: self._enqueue(db, push))

    async def refusal(self, project: ProjectId, pushes: Sequence[Push]) -> ShareTaken | None:
        """Why pushes that come together are more than the project may have; asked before git takes them."""
        def ask(db: sqlite3.Connection) -> ShareTaken | None:
            try:
                self._requests.refuse_beyond_share(db, project, [
                    _wanted(push) for push in pushes if not self._is_stored(db, push)
                ])
            except ShareTaken as error:
                return error
            return None

        return await self._store.read(ask)

    async def stored(self, push: Push) -> bool:
        """Whether a branch is only stored, so that nothing of it need be right; asked before git takes it."""
        return await self._store.read(lambda db: self._is_stored(db, push))

    def _is_stored(self, db: sqlite3.Connection, push: Push) -> bool:
        return not push.deleted and self._requests.why_stored(db, push.source) is not None

    def _enqueue(self, db: sqlite3.Connection, push: Push) -> Receipt:
        known = deliveries.find(db, push.how, push.project, push.delivery) if push.delivery else None
        if known is not None:
            return Receipt(known.activity, known.said, again=True)
        result: Result = "done"
        kept_back.forget(db, push.project, push.branch)
        try:
            receipt = self._delete(db, push) if push.deleted else self._deploy(db, push)
        except ShareTaken as error:   # the branch has moved: it is deployed when there is room, as a lost push
            receipt = Receipt(None, f"{push.branch} is not deployed now: {error.what}; {error.hint}")
            result = "refused"
        if receipt.activity is not None or result == "refused" or push.how == GIT:
            self._note(db, push, receipt, result)
        if push.delivery:
            answer = Delivery(receipt.activity, receipt.said)
            deliveries.add(db, push.how, push.project, push.delivery, answer, self._clock.now())
        return receipt

    def _note(self, db: sqlite3.Connection, push: Push, receipt: Receipt, result: Result) -> None:
        environment = push.source.environment
        audit.append(db, Deed(
            at=self._clock.now(), who=push.who, by=push.by or push.how, address=push.address, project=push.project,
            action="delete" if push.deleted else "push", environment=environment.name, said=receipt.said, result=result,
        ))

    def _deploy(self, db: sqlite3.Connection, push: Push) -> Receipt:
        environment = push.source.environment
        there = environments.find(db, environment)
        if there is not None and there.branch != push.branch:
            return Receipt(None, f"{push.branch} is not deployed: {there.branch} has an environment of that name")
        self._requests.refuse_name_of_another(db, push.source)   # also what is only stored would have it
        if NO_DEPLOY in push.options:
            kept_back.keep(db, push.project, push.branch, push.new, self._clock.now())
            at = f"{push.branch} is stored at {push.new[:8]} and not deployed, as asked"
            return Receipt(None, f"{at}: the next push to it without -o {NO_DEPLOY} deploys it")
        if push.how != GIT:
            same = self._same(db, push)
            if same is not None:
                return Receipt(None, f"{push.branch} at {push.new[:8]} is activity {same} already")
        stored = self._requests.why_stored(db, push.source)
        if stored is not None:
            store(db, push.source, self._clock.now())
            return Receipt(None, f"{push.new[:8]} of {stored.said(push.branch)}")
        goes_on = activities.latest(db, environment=environment, states=("in_progress",), limit=1)
        number = self._ask_for(db, push, kinds.PUSH, push.new)
        said = f"activity {number}: {push.branch} at {push.new[:8]} to environment {environment.name}"
        ticket = tickets.of_activity(db, number)
        lock = locks.find(db, environment)
        if ticket is not None:
            said += f"; it is protected: ticket {ticket.id} says what it waits for when it is built"
        elif lock is not None:
            said += f", which waits when it is built: {lock.said(push.branch)}"
        return Receipt(number, f"{said}, after activity {goes_on[0].id}, which goes on" if goes_on else said)

    def _delete(self, db: sqlite3.Connection, push: Push) -> Receipt:
        environment = push.source.environment
        there = environments.find(db, environment)
        if there is None or there.branch != push.branch:
            return Receipt(None, f"{push.branch} was deleted; it had no environment")
        number = self._ask_for(db, push, kinds.DELETE, None)
        lock = locks.find(db, environment)
        when = f" when it is unlocked: {lock.said(push.branch)}" if lock else ""
        name = environment.name
        return Receipt(number, f"activity {number}: {push.branch} was deleted, environment {name} goes with it{when}")

    def _ask_for(
        self, db: sqlite3.Connection, push: Push, kind: DeploymentKind, commit: CommitId | None,
    ) -> ActivityId:
        trigger = Trigger(push.who, push.how, push.delivery, anew=SKIP_BUILD_CACHE in push.options)
        return self._requests.ask_for(
            db, Request(kind, push.source.environment, push.branch, commit, trigger),
        )

    @staticmethod
    def _same(db: sqlite3.Connection, push: Push) -> int | None:
        """The newest activity of the branch when it is for this very commit and waits, runs or went well.

        Forges send a push twice now and then (two hooks, a repeated delivery with another id). Only the newest counts:
        a branch that was forced from A to B and back to A is at A again.
        """
        newest = activities.latest(db, environment=push.source.environment, limit=1)
        for one in newest:
            goes_well = one.state in ("pending", "in_progress", "success")
            if one.commit == push.new and goes_well and one.kind != kinds.DELETE.name:
                return one.id
        return None


def _wanted(push: Push) -> Wanted:
    return Wanted(kinds.DELETE if push.deleted else kinds.PUSH, push.branch)
