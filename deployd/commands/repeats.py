"""Doing once what is asked for twice with the same `Idempotency-Key`.

    new key ──► begun ──► done, answered ──► kept for a day: asked again, the same answer and nothing is done
                  │
                  └─► refused: nothing was done, the key is free again
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

import structlog

from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.state import repeats
from deployd.state.repeats import Answer
from deployd.state.store import Query, Store

log = structlog.get_logger()

BROKEN = 500


class KeyReused(DeployError):
    """A key came with another request than the first time."""

    code: ClassVar[str] = "key-reused"


class StillDone(DeployError):
    """The first request with this key has no answer yet."""

    code: ClassVar[str] = "in-flight"


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    """Of HTTP."""
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """A request with a key."""

    who: str
    """Keys of one caller say nothing to another."""
    key: str
    asked: str
    """Digest of all that was asked."""


class RepeatCommands:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def once(
        self, keyed: Keyed, do: Callable[[], Awaitable[Answered]], after_a_bug: Answered,
    ) -> tuple[Answered, bool]:
        """(the answer, whether it is one of before)

        Args:
            after_a_bug: What is answered to a repeated request of which nobody knows how far it came.

        Raises:
            KeyReused: It is not what was asked with this key before.
            StillDone: It is being done.
        """
        now = self._clock.now()
        before = await self._store.write(
            lambda db: repeats.begin(db, keyed.who, keyed.key, keyed.asked, now),
        )
        if before is not None:
            return self._repeated(keyed, before), True
        try:
            answered = await do()
        except DeployError:
            await self._write(keyed, lambda db: repeats.give_up(db, keyed.who, keyed.key))
            raise
        except Exception:
            await self._finish(keyed, after_a_bug)
            raise
        await self._finish(keyed, answered)
        return answered, False

    def _repeated(self, keyed: Keyed, before: Answer) -> Answered:
        if before.asked != keyed.asked:
            raise KeyReused(
                f"the Idempotency-Key {keyed.key!r} came with another request before", where="Idempotency-Key",
                hint="make a new key for each thing that is to be done, and repeat a request as it was",
            )
        if before.status == 0:
            raise StillDone(
                f"the first request with the Idempotency-Key {keyed.key!r} is being done", where="Idempotency-Key",
                hint="ask again in a moment: then you get its answer",
            )
        return Answered(before.status, before.body)

    async def _finish(self, keyed: Keyed, answered: Answered) -> None:
        await self._write(
            keyed, lambda db: repeats.finish(db, keyed.who, keyed.key, answered.status, answered.body),
        )

    async def _write(self, keyed: Keyed, query: Query[None]) -> None:
        try:
            await self._store.write(query)
        except DeployError as error:   # what became of the request is what must be told now
            log.error("answer_not_kept", who=keyed.who, why=error.what)
