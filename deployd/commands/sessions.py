"""Signing in with a browser: a token is shown once, and a cookie stands for it until somebody signs out.

All sessions are in memory, for each request asks; the database has them for the next start. What a session may do is
what its token may: one that was changed, was taken away or ran out ends its sessions.
"""

from __future__ import annotations

import asyncio
import hmac
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

import structlog

from deployd.access.caller import Caller
from deployd.access.cookies import make_cookie, proof_of, session_id
from deployd.access.directory import Credential, Directory
from deployd.access.errors import NotFound, Unauthorized
from deployd.clock import Clock
from deployd.state import audit, sessions
from deployd.state.audit import Deed
from deployd.state.sessions import Session
from deployd.state.store import Store

log = structlog.get_logger()

LIFETIME = timedelta(days=30)
UNUSED = timedelta(days=7)
"""A session that nobody used for so long is over."""
SEEN_SECONDS = 300.0
"""How often it is written down that sessions were used."""
MOST_OF_ONE = 50
"""Of one token; the one that was not used for longest goes for a new one."""
LONGEST_AGENT = 200


class TokenWrong(Unauthorized):
    """A token was shown that is not known."""

    code: ClassVar[str] = "token-wrong"


class Sessions:
    def __init__(self, store: Store, directory: Directory, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._known: dict[str, Session] = {}
        self._used: set[str] = set()
        """Since it was written down last."""

    async def load(self) -> None:
        """Go on with those of the database."""
        self._known = {found.id: found for found in await self._store.read(sessions.list_all)}

    async def sign_in(self, secret: str, address: str, agent: str) -> tuple[str, Session]:
        """(cookie, session) for whoever knows a token's secret.

        Raises:
            TokenWrong: Nobody's token is like this.
        """
        found = self._directory.by_secret(secret, address)
        if found is None:
            raise TokenWrong(
                "this token is not known", hint="it may have been changed or taken away: ask whoever runs this host",
            )
        cookie, now = make_cookie(), self._clock.now()
        made = Session(
            id=session_id(cookie), token=found.id, proof=proof_of(cookie, found.material),
            began=now, seen=now, ends=now + LIFETIME, address=address,
            agent=agent[:LONGEST_AGENT].encode(errors="replace").decode(),
        )
        who = found.caller.name
        gone = self._too_many(who)

        def add(db: sqlite3.Connection) -> None:
            for old in gone:
                sessions.remove(db, old)
            sessions.add(db, made)
            audit.append(db, Deed(at=now, who=who, by="console", address=address, action="sign-in",
                                  said=found.caller.by))

        await self._store.write(add)
        for old in gone:
            self._known.pop(old, None)
        self._known[made.id] = made
        log.info("signed_in", who=who, address=address)
        return cookie, made

    def caller(self, cookie: str, *, is_use: bool = True) -> Caller | None:
        """Who signed in with this browser; None: nobody, or not any more."""
        session = self.find(cookie, is_use=is_use)
        found = self._directory.by_id(session.token) if session else None
        return found.caller if found else None

    def find(self, cookie: str, *, is_use: bool = True) -> Session | None:
        """The session of a cookie, as long as it counts.

        Args:
            is_use: False for a page that was left open: it keeps no session alive.
        """
        session = self._known.get(session_id(cookie)) if cookie else None
        if session is None or not self._counts(session, cookie):
            return None
        if is_use:
            self._used.add(session.id)
        return session

    def of(self, who: str) -> list[Session]:
        """All sessions of somebody that are not over, newest first.

        Args:
            who: The person's id, or the name of a token of the settings.
        """
        now = self._clock.now()
        found = [one for one in self._known.values() if self._whose(one) == who and _is_open(one, now)]
        return sorted(found, key=lambda one: one.began, reverse=True)

    async def end(self, session: str, who: str) -> Session:
        """End a session of somebody; what it was.

        Raises:
            NotFound: They have none of this id.
        """
        known = self._known.get(session)
        if known is None or self._whose(known) != who:
            raise NotFound("there is no such session", hint="it may have ended already")
        now = self._clock.now()

        def end(db: sqlite3.Connection) -> None:
            if sessions.remove(db, session):
                audit.append(db, Deed(at=now, who=who, by="console", address="", action="sign-out",
                                      said=f"of the session that began {known.began:%Y-%m-%d %H:%M}"))

        await self._store.write(end)
        self._known.pop(session, None)
        return known

    async def serve(self) -> None:
        """Write down now and then which are used, and forget those that are over."""
        while True:
            await asyncio.sleep(SEEN_SECONDS)
            await self.write_down()

    async def write_down(self) -> None:
        now = self._clock.now()
        used, self._used = self._used, set()
        for number in used & self._known.keys():
            self._known[number] = replace(self._known[number], seen=now)

        def write(db: sqlite3.Connection) -> None:
            for number in used:
                sessions.see(db, number, now)
            sessions.remove_ended(db, now, now - UNUSED)

        await self._store.write(write)
        self._known = {number: one for number, one in self._known.items() if _is_open(one, now)}

    def _counts(self, session: Session, cookie: str) -> bool:
        found = self._directory.by_id(session.token)
        return found is not None and _is_open(session, self._clock.now()) and _proves(session, cookie, found)

    def _whose(self, session: Session) -> str:
        """Empty: nobody's any more."""
        found = self._directory.by_id(session.token)
        return found.caller.name if found else ""

    def _too_many(self, who: str) -> list[str]:
        own = sorted(self.of(who), key=lambda one: one.seen, reverse=True)
        return [one.id for one in own[MOST_OF_ONE - 1:]]


def _is_open(session: Session, now: datetime) -> bool:
    return session.ends > now and session.seen > now - UNUSED


def _proves(session: Session, cookie: str, credential: Credential) -> bool:
    return hmac.compare_digest(session.proof, proof_of(cookie, credential.material))
