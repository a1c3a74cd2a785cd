"""The mails of one environment on their way to its relay: one after the other, each until it is there or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from deployd.mail.mail import WAITS
from deployd.mail.outbox import Outbox
from deployd.mail.relay import Delivery, after_delivery, deliver, now, pause_seconds

Turns = asyncio.Semaphore
"""How many mails of all environments are delivered at once."""


class DeliveryQueue:
    """Delivers what waits in one environment, one mail at a time."""

    def __init__(self, outbox: Outbox, turns: Turns, told: Callable[[], None]) -> None:
        """
        Args:
            told: Called when `trouble` has changed.
        """
        self._outbox = outbox
        self._turns = turns
        self._told = told
        self._failed = 0
        """How often the relay itself did, in a row."""
        self.trouble = ""

    async def serve(self) -> None:
        """For ever. What waits from before is tried at once: whoever starts us may have mended something."""
        first = self._outbox.box.waiting
        while True:
            self._outbox.mail_waits.clear()
            following = self._outbox.box.next_waiting()
            if following is None:
                await self._outbox.mail_waits.wait()
                continue
            number, due = following
            if first > 0:
                first -= 1
            elif due > now():
                with suppress(TimeoutError):
                    async with asyncio.timeout(due - now()):
                        await self._outbox.mail_waits.wait()
                continue
            if await self._deliver(number):   # others would fare the same
                await asyncio.sleep(pause_seconds(self._failed))

    async def _deliver(self, number: int) -> bool:
        """Try one mail. Whether the relay itself failed."""
        box, relay = self._outbox.box, self._outbox.environment.relay
        async with self._turns:
            mail = None
            try:
                mail = await asyncio.to_thread(box.read, number)
                message = await asyncio.to_thread(box.message, number)
                if mail is None or message is None or relay is None or mail.state != WAITS:
                    box.remove(number)
                    return False
                delivery = await deliver(relay, mail, message)
                kept = after_delivery(mail, delivery, now())
                if kept is None:
                    box.remove(number)
                else:
                    box.write(kept)
            except Exception as error:   # noqa: BLE001  the net of this process: one mail keeps no other one
                left = mail.recipients if mail is not None else ()
                delivery = Delivery(left, f"it cannot be handed over: {error!r}", is_relays=True)
        self._failed = self._failed + 1 if delivery.is_relays else 0
        self._tell(delivery)
        return delivery.is_relays

    def _tell(self, delivery: Delivery) -> None:
        relay, waiting = self._outbox.environment.relay, self._outbox.box.waiting
        trouble = ""
        if delivery.is_relays and relay is not None and waiting:
            trouble = (
                f"{waiting} mails of {self._outbox.environment.name} wait for the relay {relay.host}:{relay.port}:"
                f" {' '.join(delivery.why.split())[:300]}"
            )
        if trouble != self.trouble:
            self.trouble = trouble
            self._told()
