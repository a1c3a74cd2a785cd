"""The error boundary of a loop over many: one item that fails is told, counted and tried again; the others go on.

The third place that catches every exception. The runner's ends an activity and the one of `supervised` ends a task;
a loop has neither at its hand for one item of many, and would fall with all that it serves. So whatever goes over
environments, projects, hosts or crons does the work of each in here:

    with self._net.contain("the crons of shop/main") as tried:
        await self._read_one(key)
    if tried.failed: …        again in `tried.again_in` seconds, or ask `self._net.may_try(item)` in the next round

A `CancelledError` goes through: the daemon stops. What fails stands in the reasons of `/status` until it goes well: an
error of deployd itself at once, an expected one when it came twice in a row. Its traceback is logged once for its kind.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar

import structlog

from deployd.activity.incidents import Incident, unwrap
from deployd.errors import DeployError, Transient

log = structlog.get_logger()

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 300.0
TRACEBACK_AGAIN_SECONDS = 3600.0
"""An error of the same kind, at the same place of the program, has its traceback in the log once in so long."""
MOST_TOLD = 10
"""Items of one loop that the status names."""


class HostRefused(DeployError):
    """The host's kernel did not do what was asked: a full disk, no descriptor left, something in the way."""

    code: ClassVar[str] = "host-refused"


@dataclass(slots=True)
class Failing:
    """An item that fails."""

    error: DeployError
    shown: bool
    times: int
    """In a row."""
    again_at: float
    """Time of the loop."""

    @property
    def is_told(self) -> bool:
        return self.shown and (self.times > 1 or isinstance(self.error, Incident))


class Tried:
    """One try of an item; ask it when the block is left."""

    def __init__(self) -> None:
        self.error: DeployError | None = None
        self.again_in = 0.0
        """Seconds; grows from failure to failure."""

    @property
    def failed(self) -> bool:
        return self.error is not None


class _Contained:
    """`with`: on the way out an error is caught."""

    def __init__(self, boundary: ErrorBoundary, item: str, shown: bool) -> None:
        self._boundary = boundary
        self._item = item
        self._shown = shown
        self._tried = Tried()

    def __enter__(self) -> Tried:
        return self._tried

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> bool:
        if error is None:
            self._boundary.succeeded(self._item)
            return False
        if not isinstance(error, Exception):
            return False
        failing = self._boundary.failed(self._item, error, shown=self._shown)
        self._tried.error = failing.error
        self._tried.again_in = self._boundary.pause_seconds(self._item)
        return True


def _time() -> float:
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:   # in a thread, where nobody asks for pauses
        return time.monotonic()


class ErrorBoundary:
    """The error boundary of one loop. Items are named in words: `the crons of shop/main`."""

    def __init__(
        self, loop: str, *, longest_seconds: float = LONGEST_PAUSE_SECONDS, now: Callable[[], float] = _time,
    ) -> None:
        """
        Args:
            longest_seconds: Pauses double from failure to failure, up to this.
        """
        self.loop = loop
        self.failures = 0
        """Since the daemon started."""
        self._longest_seconds = longest_seconds
        self._now = now
        self._failing: dict[str, Failing] = {}
        self._incidents: dict[str, tuple[str, float]] = {}
        """{kind of error: (name of its incident, when its traceback was logged)}"""

    @property
    def failing(self) -> int:
        """How many items fail now."""
        return len(self._failing)

    def contain(self, item: str, *, shown: bool = True) -> _Contained:
        """Use it with `with`: whatever the block raises is told and counted, and goes no further.

        Args:
            shown: In the reasons of the status; False when somebody else shows it there.
        """
        return _Contained(self, item, shown)

    def may_try(self, item: str) -> bool:
        """Whether the pause after the item's last failure is over, if there was one."""
        return self.pause_seconds(item) <= 0

    def fails(self, item: str) -> bool:
        """Whether its last try failed."""
        return item in self._failing

    def pause_seconds(self, item: str) -> float:
        known = self._failing.get(item)
        return max(0.0, known.again_at - self._now()) if known else 0.0

    def succeeded(self, item: str) -> None:
        """It is well, or is not there any more."""
        self._failing.pop(item, None)

    def failed(self, item: str, error: Exception, *, shown: bool = True) -> Failing:
        """Count and tell a failure that was caught elsewhere; `contain` does it by itself."""
        self.failures += 1
        known = self._failing.get(item)
        times = known.times + 1 if known else 1
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(times - 1, 20), self._longest_seconds)
        told = self._told(item, unwrap(error), is_news=times & (times - 1) == 0)   # the 1st, 2nd, 4th, 8th …
        self._failing[item] = failing = Failing(told, shown, times, self._now() + pause)
        return failing

    def keep_only(self, items: Iterable[str], *, beginning: str = "") -> None:
        """Forget failures of what is not there any more.

        Args:
            beginning: Only of items whose names begin so.
        """
        if self._failing:
            kept = set(items)
            for item in [item for item in self._failing if item.startswith(beginning) and item not in kept]:
                del self._failing[item]

    def troubles(self) -> list[str]:
        """One sentence for each item that fails, for people."""
        told = [(item, failing) for item, failing in list(self._failing.items()) if failing.is_told]
        more = [f"{self.loop}: {len(told) - MOST_TOLD} more fail"] if len(told) > MOST_TOLD else []
        return [_sentence(self.loop, item, failing) for item, failing in told[:MOST_TOLD]] + more

    def _told(self, item: str, error: Exception, *, is_news: bool) -> DeployError:
        if isinstance(error, Transient):
            error = error.error
        bound = log.bind(loop=self.loop, item=item)
        if isinstance(error, DeployError):
            if is_news:
                bound.warning("item_failed", what=error.what, where=error.where, evidence=error.evidence,
                              hint=error.hint)
            return error
        name, is_new = self._incident(error)
        said = f"{type(error).__name__}: {error}"[:500]
        is_ours = not isinstance(error, OSError)
        if is_new:
            bound.error("item_failed", what=said, exc_info=error, **({"incident": name} if is_ours else {}))
        elif is_news:
            bound.warning("item_failed", what=said, as_in=name)
        if is_ours:
            return Incident(
                f"an error of deployd itself (incident {name}): {said}",
                hint="it is tried again; the log of the daemon has the rest under the incident's name",
            )
        return HostRefused(f"the host refused it: {said}", hint="see whether its disk is full, or what is in the way")

    def _incident(self, error: Exception) -> tuple[str, bool]:
        """(its name, whether its traceback has to be logged)"""
        kind, now = f"{type(error).__name__} {_place(error.__traceback__)}", self._now()
        known = self._incidents.get(kind)
        if known is not None and now - known[1] < TRACEBACK_AGAIN_SECONDS:
            return known[0], False
        name = secrets.token_hex(2).upper()
        self._incidents[kind] = (name, now)
        return name, True


class ErrorBoundaries:
    """The error boundaries of all loops of a daemon, for its status and its figures."""

    def __init__(self) -> None:
        self._boundaries: dict[str, ErrorBoundary] = {}

    def of(self, loop: str) -> ErrorBoundary:
        """The error boundary of a loop; made when it is first asked for."""
        return self._boundaries.setdefault(loop, ErrorBoundary(loop))

    def troubles(self) -> list[str]:
        return [trouble for boundary in self._boundaries.values() for trouble in boundary.troubles()]

    def figures(self) -> dict[str, tuple[int, int]]:
        """{loop: (failures since the daemon started, items that fail now)}"""
        return {name: (boundary.failures, boundary.failing) for name, boundary in self._boundaries.items()}


@contextmanager
def until(told: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call back when the block has lasted so long."""
    handle = asyncio.get_running_loop().call_later(seconds, told)
    try:
        yield
    finally:
        handle.cancel()


def _place(trace: TracebackType | None) -> str:
    """Where it was raised."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""


def _sentence(loop: str, item: str, failing: Failing) -> str:
    error = failing.error
    count = "" if failing.times == 1 else f" {failing.times} times"
    where = f" ({error.where})" if error.where else ""
    return f"{loop}: {item} failed{count}: {error.what}{where}" + (f"; hint: {error.hint}" if error.hint else "")
