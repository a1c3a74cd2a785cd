"""Who asks over SSH, the daemon's side: keys are looked up here each time, and nowhere remembered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import structlog

from deployd.access.caller import Caller
from deployd.access.errors import Unauthorized
from deployd.clock import Clock
from deployd.http.failed_sign_ins import FailedSignIns, source_of
from deployd.ssh.link_server import Handler, Question
from deployd.ssh.seen import SshSeen

log = structlog.get_logger()

MOST_KEYS = 100
"""In one question."""


class Keys(Protocol):
    """Whose keys are known: `access/directory.py`."""

    def by_key(self, blob: bytes, address: str = "") -> Caller | None: ...

    def knows_key(self, blob: bytes) -> bool: ...


class SshPeople:
    """Handlers of `key`, `who` and `look`."""

    def __init__(self, keys: Keys, seen: SshSeen, failed: FailedSignIns, clock: Clock) -> None:
        """
        Args:
            seen: What `deployd-ssh` tells of itself is put there.
            failed: Of SSH alone: who has no key here may well have a token.
        """
        self._keys = keys
        self._seen = seen
        self._failed = failed
        self._clock = clock

    def handlers(self) -> Mapping[str, Handler]:
        return {"key": self.key, "who": self.who, "look": self.look}

    def caller_of(self, question: Question) -> Caller:
        """Whose key a question comes with.

        Raises:
            Unauthorized: Nobody's, any more.
        """
        address = source_of(question.text("address"))
        caller = self._keys.by_key(_blob(question.text("key")), address)
        if caller is None:
            raise Unauthorized("your key was removed, or its owner has left", hint="ask whoever manages people here")
        return caller

    async def key(self, question: Question) -> None:
        """Whether it is worth while to ask for a signature."""
        await question.answer(known=self._keys.knows_key(_blob(question.text("key"))))

    async def who(self, question: Question) -> None:
        """Who has signed."""
        caller = self.caller_of(question)
        log.info("ssh_came", who=caller.name, key=caller.by, source=question.text("address"))
        await question.answer(name=caller.name)

    async def look(self, question: Question) -> None:
        """What there is over SSH, and which of the keys are known no longer."""
        keys, failed = question.values.get("keys", []), question.values.get("failed", {})
        for address, times in list(failed.items())[:MOST_KEYS * 10]:
            self._note_failed(source_of(str(address)), int(times))
        self._seen.note(question.values, self._clock.now())
        await question.answer(gone=[key for key in keys[:MOST_KEYS] if not self._keys.knows_key(_blob(str(key)))])

    def _note_failed(self, source: str, times: int) -> None:
        told = [self._failed.failed(source) for _ in range(min(times, 20))]
        if any(told):
            log.warning("ssh_not_authenticated", source=source, times=times)


def _blob(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


