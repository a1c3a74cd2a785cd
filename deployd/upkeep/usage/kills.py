"""What the kernel killed for want of memory: counted by it in each control group, and told by Docker as it happens.

A container whose main process was killed is started again with a group that counts from 0, often before anybody has
looked: then Docker's word is all that there is. Of a child process, as a Magento's indexer is one, only the group knows
for certain. So the larger of both counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from deployd.clock import Clock
from deployd.units import MEGABYTE
from deployd.upkeep.usage.parts import Part

TOLD = timedelta(hours=1)
"""So long after the last one it stands on `/status`."""
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Before:
    """Of a group, as it was seen."""

    count: int = 0
    at: datetime | None = None
    """When the last one was killed."""


@dataclass
class _Container:
    """Of one container that is or was there."""

    part: Part
    last: int = 0
    """The group's count at the last look."""
    by_group: int = 0
    by_docker: int = 0
    at: datetime | None = None
    limit_bytes: int | None = None

    @property
    def count(self) -> int:
        return max(self.by_group, self.by_docker)


class Kills:
    """Of all containers, since the daemon was started."""

    def __init__(self, clock: Clock, before: Mapping[str, Before] | None = None) -> None:
        """
        Args:
            before: What an earlier daemon had seen of groups; None: nobody knows when those were that are there
                already, and only their number is told.
        """
        self._clock = clock
        self._before = before
        self._known: dict[str, _Container] = {}
        self._looked = False

    @property
    def seen(self) -> dict[str, Before]:
        """The groups as they were seen last, for a daemon that comes after this one."""
        return {name: Before(known.last, known.at) for name, known in self._known.items() if known.last}

    def looked(self) -> None:
        """Every container was looked at: what comes now is new."""
        self._looked = True

    def told(self, container_id: str, part: Part) -> None:
        """Docker says that something was killed."""
        self._change(container_id, part, lambda known: setattr(known, "by_docker", known.by_docker + 1))

    def counted(self, container_id: str, part: Part, count: int, limit_bytes: int | None = None) -> None:
        """The group of a container says how many there were since its start."""
        known = self._known.get(container_id)
        if known is None and not count:
            return
        if known is None and not self._looked:
            before = Before(count) if self._before is None else self._before.get(container_id, Before())
            last = min(before.count, count)
            known = self._known[container_id] = _Container(part, last=last, by_group=last, at=before.at)

        def take(known: _Container) -> None:
            known.by_group += count - known.last if count >= known.last else count   # else it was started again
            known.last = count

        self._change(container_id, part, take)
        self._known[container_id].limit_bytes = limit_bytes or self._known[container_id].limit_bytes

    def of(self, container_id: str) -> tuple[int, datetime | None]:
        """(how many, when the last one)"""
        known = self._known.get(container_id)
        return (known.count, known.at) if known else (0, None)

    def forget_old(self, there: set[str]) -> None:
        """Forget containers that are gone when nobody has to be told any more."""
        now = self._clock.now()
        for name, known in [*self._known.items()]:
            if name not in there and (known.at is None or now - known.at > FORGOTTEN):
                del self._known[name]

    def sentences(self, project: str | None = None, environment: str | None = None) -> list[str]:
        """What was killed within the last hour, a sentence for each part; of an environment, or of all with names."""
        now = self._clock.now()
        found: dict[Part, tuple[int, datetime, int | None]] = {}
        for known in self._known.values():
            if known.at is not None and now - known.at <= TOLD and project in (None, known.part.project) \
                    and environment in (None, known.part.environment):
                count, at, limit = found.get(known.part, (0, known.at, None))
                found[known.part] = (count + known.count, max(at, known.at), known.limit_bytes or limit)
        return [_sentence(part, *found[part], named=project is None) for part in sorted(found)]

    def _change(self, container_id: str, part: Part, change: Callable[[_Container], None]) -> None:
        known = self._known.setdefault(container_id, _Container(part))
        before = known.count
        change(known)
        if known.count > before:
            known.at = self._clock.now()


def _sentence(part: Part, count: int, at: datetime, limit_bytes: int | None, *, named: bool) -> str:
    limit = f" of {limit_bytes // MEGABYTE} MB" if limit_bytes else ""
    often = "a process" if count == 1 else f"processes, {count} until now,"
    who = f"{part.project}/{part.environment}: " if named else ""
    return (f"{who}the kernel killed {often} of the {part.kind} {part.name} at {at:%H:%M} UTC because its memory{limit}"
            " was full: have it use less, or give it a larger `size`")
