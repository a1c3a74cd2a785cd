"""Host names of outbound rules: asked again and again, and kept with the addresses that they lead to.

The kernel knows addresses, rules have names. So each name is asked every `ASK_SECONDS` of the host's own name servers,
and an address of an answer counts for `KEEP_SECONDS` after the last answer that had it: a name behind which many
machines stand answers with others each time, and a program may go on with what it was told a while ago. Names without
an answer keep what they have; one that does not exist any more has nothing an hour later.

What is not public, and not opened by the operator, is left out whatever a name server says: who has a name can point it
at this host's networks (rebinding). The kernel refuses it once more.

Strangers choose the names, so asking has threads of its own, a limit, and bounds; nothing else waits for it. Names that
nobody answers for have other threads than those that were answered, and pauses that double: they hold up nobody else's.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import structlog

from deployd.public_addresses import LAST_PORT, Address, Opening, is_public

log = structlog.get_logger()

ASK_SECONDS = 30.0
KEEP_SECONDS = 3600.0
LIMIT_SECONDS = 5.0
AT_ONCE = 16
SILENT_AT_ONCE = 3 * AT_ONCE
"""Of a round: names that were not answered last time. A round with all of them would last for hours, and those that are
answered wait for the next one."""
MOST_ADDRESSES = 64
"""Of one name; those that were seen last stay."""

MOST_LEARNED = 200
"""Names that one deployment waits for; further ones are asked in the rounds."""

Ask = Callable[[str, bool | None], Awaitable[Sequence[Address]]]
"""Addresses of a name, and whether it was answered before (None: it was never asked); none: it does not exist. Raises
OSError when nobody answers."""


class OutboundNames:
    """What is known of names."""

    def __init__(self, file: Path, openings: Sequence[Opening] = (), ask: Ask | None = None,
                 now: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            file: Where they outlive the daemon.
        """
        self._file = file
        self._openings = openings
        self._ask = ask or SystemResolver().ask
        self._now = now
        self._known: dict[str, dict[Address, float]] = _read(file, now())
        """{name: {address: when an answer had it last}}"""
        self._asked: dict[str, float] = {}
        self._silent: dict[str, int] = {}
        """How often in a row nobody answered."""

    def addresses(self) -> Mapping[str, tuple[Address, ...]]:
        """{name: addresses}, the newest first; those of one answer in one order."""
        return {
            name: tuple(address for address, _ in sorted(found.items(), key=lambda item: (-item[1], str(item[0]))))
            for name, found in self._known.items() if found
        }

    def _sets(self) -> dict[str, frozenset[Address]]:
        return {name: frozenset(found) for name, found in self._known.items() if found}

    async def learn(self, names: Iterable[str]) -> tuple[str, ...]:
        """Ask those of which nothing is known and whose turn it is. Gives those that lead nowhere now."""
        wanted, now = set(names), self._now()
        unknown = sorted(name for name in wanted if not self._known.get(name) and (
            not self._silent.get(name) or now - self._asked.get(name, float("-inf")) >= self._pause(name)))
        await self._ask_all(unknown[:MOST_LEARNED])
        return tuple(sorted(name for name in wanted if not self._known.get(name)))

    async def refresh(self, names: Iterable[str]) -> bool:
        """Ask those whose turn it is, forget those that nobody wants. Gives whether an address came or went."""
        wanted, now, before = set(names), self._now(), self._sets()
        for name in [name for name in self._known if name not in wanted
                     and now - self._asked.get(name, 0.0) > KEEP_SECONDS]:
            del self._known[name]
        for name in self._asked.keys() - wanted - self._known.keys():
            del self._asked[name]
            self._silent.pop(name, None)
        await self._ask_all(self._due(wanted, now))
        return self._sets() != before

    def _due(self, wanted: Iterable[str], now: float) -> Iterable[str]:
        """Names whose turn it is: all that are answered, and of the others those that wait longest."""
        since = {name: self._asked.get(name, float("-inf")) for name in wanted}
        due = [name for name, asked in since.items() if now - asked >= self._pause(name)]
        silent = sorted((name for name in due if not self._is_answered(name)), key=lambda name: (since[name], name))
        return [*filter(self._is_answered, due), *silent[:SILENT_AT_ONCE]]

    def _is_answered(self, name: str) -> bool:
        return self._silent.get(name, 0 if self._known.get(name) else 1) == 0

    def _pause(self, name: str) -> float:
        return min(ASK_SECONDS * 2.0 ** min(self._silent.get(name, 0), 10), KEEP_SECONDS)

    async def _ask_all(self, names: Iterable[str]) -> None:
        before, quick, slow = self._sets(), asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> None:
            async with quick if self._is_answered(name) else slow:
                await self._ask_one(name)

        async with asyncio.TaskGroup() as group:
            for name in sorted(names):
                group.create_task(one(name), name=f"addresses of {name}")
        if self._sets() != before:
            try:
                await asyncio.to_thread(_write, self._file, self.addresses())
            except OSError as error:   # a full disk: they are asked anew after the next start
                log.warning("outbound_names_not_written", what=str(error))

    async def _ask_one(self, name: str) -> None:
        self._asked[name] = self._now()
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                found = await self._ask(name, None if name not in self._silent else self._is_answered(name))
        except (OSError, TimeoutError, ValueError, RuntimeError):   # of one name: the others are asked all the same
            self._silent[name] = self._silent.get(name, 0) + 1
            return   # nobody answers: what it had counts on
        now, self._silent[name] = self._now(), 0
        known = {address: seen for address, seen in self._known.get(name, {}).items() if now - seen < KEEP_SECONDS}
        known |= {address: now for address in found if self._may_be_reached(address)}
        newest = sorted(known.items(), key=lambda item: (-item[1], str(item[0])))[:MOST_ADDRESSES]
        self._known[name] = dict(newest)

    def _may_be_reached(self, address: Address) -> bool:
        return is_public(address) or any(address in opening.network for opening in self._openings)


class SystemResolver:
    """Asks as every program of the host does.

    In threads that nobody waits for at the end: one that asks a name server that never answers is busy for a while, and
    neither a stop nor a reload of the daemon is to be held up by it.
    """

    def __init__(self) -> None:
        self._slots = {kind: asyncio.Semaphore(AT_ONCE) for kind in (True, False, None)}

    async def ask(self, name: str, answered: bool | None) -> Sequence[Address]:
        slots = self._slots[answered]   # new names of one project do not wait for the silent ones of another
        await slots.acquire()   # given back by the thread, whoever still waits for it
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[str]] = loop.create_future()

        def tell(found: list[str] | OSError) -> None:
            slots.release()
            if future.done():
                return
            if isinstance(found, OSError):
                future.set_exception(found)
            else:
                future.set_result(found)

        def work() -> None:
            found: list[str] | OSError = OSError("the resolver failed")
            try:
                found = _resolve(name)
            except OSError as error:
                found = error
            finally:
                with suppress(RuntimeError):   # the daemon has ended meanwhile
                    loop.call_soon_threadsafe(tell, found)

        try:
            threading.Thread(target=work, name="host names", daemon=True).start()
        except RuntimeError:   # there can be no further thread
            slots.release()
            raise
        return [ip_address(text) for text in await future]


def _resolve(name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(f"{name}.", LAST_PORT, type=socket.SOCK_STREAM)   # the dot: no search domain
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return []
        raise
    except UnicodeError:
        return []
    return sorted({str(item[4][0]).partition("%")[0] for item in found})


def _read(file: Path, now: float) -> dict[str, dict[Address, float]]:
    with suppress(OSError, ValueError, TypeError, AttributeError):
        found = json.loads(file.read_text())
        return {name: dict.fromkeys(map(ip_address, addresses), now) for name, addresses in found.items()}
    return {}


def _write(file: Path, names: Mapping[str, tuple[Address, ...]]) -> None:
    new = file.with_suffix(".new")
    new.write_text(json.dumps({name: [str(address) for address in found] for name, found in names.items()}))
    os.replace(new, file)
