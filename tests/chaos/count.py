"""What a storm did, counted when it is calm again. Every count that is not 0 comes with its evidence.

    lost             activities without an end of the four, and pushes and deletes that git took and nobody carried out
    visitor_errors   answers that were neither the version of the moment nor the maintenance page; orders not there once
    hooks_twice      hooks that ran more or less than once for an activity that reached them
    left_over        what nobody owns: in Docker, mounted, on loop devices, on disk
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from tests.chaos.actors import Made
from tests.chaos.sample import Place
from tests.chaos.visitors import Answer
from tests.support.journal_record import OPEN, Record

HOOKS = {"build": "build_apps", "deploy": "run_deploy_hook", "post": "run_post_deploy"}
"""{hook: the step that runs it}"""
MAINTENANCE, WAKING = '"maintenance"', '"waking"'


@dataclass
class Count:
    """The last line of a storm, and the evidence."""

    kills: int
    activities: int
    lost: list[str] = field(default_factory=list)
    visitor_errors: list[str] = field(default_factory=list)
    hooks_twice: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.visitor_errors or self.hooks_twice or self.left_over)

    def evidence(self) -> Iterator[str]:
        for name in ("lost", "visitor_errors", "hooks_twice", "left_over"):
            yield from (f"{name}: {line}" for line in getattr(self, name))

    def __str__(self) -> str:
        return (f"chaos: kills={self.kills} activities={self.activities} lost={len(self.lost)} "
                f"visitor_errors={len(self.visitor_errors)} hooks_twice={len(self.hooks_twice)} "
                f"left_over={len(self.left_over)}")


def lost_activities(records: Iterable[Record]) -> list[str]:
    return [f"activity {item.number} ({item.kind} of {item.project}/{item.branch}) is still {item.state}"
            for item in records if item.state in OPEN]


def lost_pushes(records: Sequence[Record], tips: Mapping[tuple[str, str], str | None]) -> list[str]:
    """Branches whose newest push or delete is not what their repository says.

    Args:
        tips: {(project, branch): commit, None when the branch is gone}
    """
    found = []
    for (project, branch), tip in tips.items():
        mine = [item for item in records if (item.project, item.branch) == (project, branch)
                and item.kind in ("push", "delete")]
        newest = mine[-1] if mine else None
        if newest is None or newest.commit != tip:
            found.append(f"{project}/{branch} is at {tip}, and the newest activity for it is {newest}")
    return found


def hooks_not_once(records: Sequence[Record], ran: Sequence[str]) -> list[str]:
    """
    Args:
        ran: What all hooks wrote: "<hook> <activity>".
    """
    times = Counter(ran)
    deleted = {(item.project, item.environment): item.number for item in records if item.kind == "delete"}
    found, expected = [], set()
    for record in records:
        gone = record.number < deleted.get((record.project, record.environment), 0)
        for hook, step in HOOKS.items():
            line = f"{hook} {record.number}"
            expected.add(line)
            ran_it, count = record.hooks(step), times[line]
            unseen = gone and count == 0   # its environment took along what nobody may have read in time
            if count > 1 or (ran_it is not None and count != ran_it and not unseen):
                found.append(f"the {hook} hook of activity {record.number} ran {count} times; its step says {ran_it}")
    return [*found, *(f"a line that no activity can have written: {line!r}" for line in times.keys() - expected)]


def wrong_answers(
    answers: Iterable[Answer], records: Sequence[Record], commits: Mapping[Place, Mapping[str, Made]],
) -> list[str]:
    """Answers that a visitor should not have got at that moment."""
    spans = {place: _Spans(place, records, made) for place, made in commits.items()}
    return [str(answer) for answer in answers if not spans[answer.place].allow(answer)]


def wrong_orders(ordered: Iterable[tuple[Place, str]], kept: Mapping[Place, Sequence[str]]) -> list[str]:
    """Orders that were answered and are not there once. Places whose data may be deleted are not in `kept`."""
    times = {place: Counter(orders) for place, orders in kept.items()}
    found = [f"the order {order} of {place} is there {times[place][order]} times"
             for place, order in ordered if place in times and times[place][order] != 1]
    return found + [f"the order {order} of {place} is there {count} times"
                    for place, orders in times.items() for order, count in orders.items() if count > 1]


class _Spans:
    """When which text was right for the visitors of a place; while the router switches, two are."""

    def __init__(self, place: Place, records: Sequence[Record], made: Mapping[str, Made]) -> None:
        self._place = place
        self._live: list[tuple[str, float, float]] = []
        """(text, from, to): `to` is when the next switch, or the delete, was certainly done."""
        self._nothing: list[tuple[float, float]] = []
        self._waking: list[tuple[float, float]] = []
        """When visitors may be told that it takes a while until it is awake."""
        since_nothing: float | None = 0.0
        for record in records:
            if (record.project, record.branch) != (place.project, place.branch):
                continue
            begun, done = record.first("switch", "started"), record.first("switch", "done")
            if begun is not None and done is not None and record.deployed is not None:
                self._end(done)
                self._live.append((made[record.deployed].text, begun, inf))
                if since_nothing is not None:
                    self._nothing.append((since_nothing, done))
                    since_nothing = None
            for step in ("remove_environment", "let_go"):
                gone = record.first(step, "started")
                if gone is not None:
                    self._end(record.first(step, "done") or inf)
                    since_nothing = gone if since_nothing is None else since_nothing
            closed = record.first("close_environment", "started")
            if closed is not None:
                self._waking.append((closed, inf))
            opened = record.first("let_in", "done") or record.first("let_go", "done")
            if opened is not None and self._waking:
                self._waking[-1] = (self._waking[-1][0], opened)
        if since_nothing is not None:
            self._nothing.append((since_nothing, inf))

    def allow(self, answer: Answer) -> bool:
        if answer.status == 503:
            waking = WAKING in answer.body and any(_meet(answer, *span) for span in self._waking)
            return MAINTENANCE in answer.body or waking
        if answer.status == 404:
            return any(_meet(answer, *span) for span in self._nothing)
        return answer.status == 200 and any(
            answer.body == self._place.page(text) and _meet(answer, begun, end) for text, begun, end in self._live
        )

    def _end(self, at: float) -> None:
        self._live = [(text, begun, min(end, at)) for text, begun, end in self._live]


def _meet(answer: Answer, begun: float, end: float) -> bool:
    return answer.sent <= end and answer.received >= begun
