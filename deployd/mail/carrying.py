"""The mails of one environment on their way to its relay: one after the other, each until it is there or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from deployd.mail.handing import Handed, after, hand_over, now, pause_seconds
from deployd.mail.letter import WAITS
from deployd.mail.place import Place

Turns = asyncio.Semaphore
"""How many mails of all environments are handed over at once."""


class Carrier:
    """Carries what waits in one environment."""

    def __init__(self, place: Place, turns: Turns, told: Callable[[], None]) -> None:
        """
        Args:
            told: Called when `trouble` has changed.
        """
        self._place = place
        self._turns = turns
        self._told = told
        self._failed = 0
        """How often the relay itself did, in a row."""
        self.trouble = ""

    async def serve(self) -> None:
        """For ever. What waits from before is tried at once: whoever starts us may have mended something."""
        first = self._place.box.waiting
        while True:
            self._place.letter_waits.clear()
            following = self._place.box.next_waiting()
            if following is None:
                await self._place.letter_waits.wait()
                continue
            number, due = following
            if first > 0:
                first -= 1
            elif due > now():
                with suppress(TimeoutError):
                    async with asyncio.timeout(due - now()):
                        await self._place.letter_waits.wait()
                continue
            if await self._carry(number):   # others would fare the same
                await asyncio.sleep(pause_seconds(self._failed))

    async def _carry(self, number: int) -> bool:
        """Try one mail. Whether the relay itself failed."""
        box, relay = self._place.box, self._place.address.relay
        async with self._turns:
            letter = None
            try:
                letter = await asyncio.to_thread(box.read, number)
                message = await asyncio.to_thread(box.message, number)
                if letter is None or message is None or relay is None or letter.state != WAITS:
                    box.remove(number)
                    return False
                handed = await hand_over(relay, letter, message)
                kept = after(letter, handed, now())
                if kept is None:
                    box.remove(number)
                else:
                    box.write(kept)
            except Exception as error:   # noqa: BLE001  the net of this process: one mail keeps no other one
                left = letter.recipients if letter is not None else ()
                handed = Handed(left, f"it cannot be handed over: {error!r}", is_relays=True)
        self._failed = self._failed + 1 if handed.is_relays else 0
        self._tell(handed)
        return handed.is_relays

    def _tell(self, handed: Handed) -> None:
        relay, waiting = self._place.address.relay, self._place.box.waiting
        trouble = ""
        if handed.is_relays and relay is not None and waiting:
            trouble = (
                f"{waiting} mails of {self._place.address.name} wait for the relay {relay.host}:{relay.port}:"
                f" {' '.join(handed.why.split())[:300]}"
            )
        if trouble != self.trouble:
            self.trouble = trouble
            self._told()
