"""Everybody who is known, in memory: each request asks. What is not here is nobody.

    a secret ──► a token of the settings, or a person's ──┐
    a key    ──► a person's key ─────────────────────────┴──► Caller: a name, and roles

A person's token or key does what its owner may, and no more than it was made for; it is looked up anew each time, so
one that was taken away, ran out, or whose owner left or was given another role counts as that from the next request on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from deployd.access.caller import Caller
from deployd.access.people import People, Person, PersonalToken, PublicKey, digest_of
from deployd.access.roles import capped
from deployd.access.tokens import caller_of, find_secret, secret_of
from deployd.settings import Token


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody proved who they are with."""

    id: str
    """For sessions: the name of the settings' token, or `person:` and the number of a person's."""
    material: str
    """What a session is bound to: the secret, or its digest where nobody has more."""
    caller: Caller


class Directory:
    def __init__(self, tokens: Sequence[Token], now: Callable[[], datetime]) -> None:
        self._tokens = tuple(tokens)
        self._taken = frozenset(token.name for token in tokens)
        """Names that persons cannot have: sessions, activities and the audit log say by them who somebody is."""
        self._now = now
        self._used: dict[tuple[str, int], tuple[datetime, str]] = {}
        self.replace(People())

    def replace(self, people: People) -> None:
        """Go on with these persons, tokens and keys."""
        self.people = people
        self._persons = {person.id: person for person in people.persons}
        self._by_digest = {token.digest: token for token in people.tokens}
        self._by_number = {token.number: token for token in people.tokens}
        self._by_key = {key.blob: key for key in people.keys}

    @property
    def doubled(self) -> Sequence[str]:
        """Persons who are called like a token that came to the settings after them: they are let in by nothing."""
        return sorted(self._taken & self._persons.keys())

    @property
    def settings_tokens(self) -> Sequence[Token]:
        return self._tokens

    def by_header(self, authorization: str | None) -> Caller | None:
        """Of an Authorization header (Bearer, or the password of Basic); None: nobody who is known."""
        found = self.by_secret(secret_of(authorization or ""))
        return found.caller if found else None

    def by_secret(self, secret: str, address: str = "") -> Credential | None:
        """
        Args:
            address: Where it was shown, for its owner's list.
        """
        token = find_secret(self._tokens, secret)
        if token is not None:
            return _of_settings(token)
        personal = self._by_digest.get(digest_of(secret)) if secret else None
        found = self._of(personal) if personal else None
        if personal is not None and found is not None:
            self._use("token", personal.number, address)
        return found

    def by_id(self, credential: str) -> Credential | None:
        """What a session was begun with, when it still counts."""
        token = next((token for token in self._tokens if token.name == credential), None)
        if token is not None:
            return _of_settings(token)
        kind, _, number = credential.partition(":")
        personal = self._by_number.get(int(number)) if kind == "person" and number.isdecimal() else None
        return self._of(personal) if personal else None

    def by_key(self, blob: bytes, address: str = "") -> Caller | None:
        """Whose SSH key this is; None: nobody's. The caller has seen a signature made with it."""
        key = self._by_key.get(blob)
        person = self._there(key.person) if key else None
        if key is None or person is None:
            return None
        self._use("key", key.number, address)
        return Caller(person.id, person.roles, key.label or key.fingerprint, person.id)

    def knows_key(self, blob: bytes) -> bool:
        """Whether it is worth while to ask for a signature. Nobody is let in by this."""
        key = self._by_key.get(blob)
        return key is not None and self._there(key.person) is not None

    def take_uses(self) -> dict[tuple[str, int], tuple[datetime, str]]:
        """{(`token` or `key`, number): (when, from where)} since this was asked last."""
        used, self._used = self._used, {}
        return used

    def use_of(self, what: PersonalToken | PublicKey) -> tuple[datetime | None, str]:
        """(when a token or key was used last, from where), also when it is not written down yet."""
        kind = "token" if isinstance(what, PersonalToken) else "key"
        return self._used.get((kind, what.number), (what.used, what.used_from))

    def _of(self, token: PersonalToken) -> Credential | None:
        person = self._there(token.person)
        if person is None or (token.ends is not None and token.ends <= self._now()):
            return None
        roles = capped(person.roles, token.role, token.projects)
        caller = Caller(person.id, roles, token.label, person.id, token.role, token.projects)
        return Credential(f"person:{token.number}", token.digest, caller)

    def _there(self, person: str) -> Person | None:
        found = self._persons.get(person)
        return found if found is not None and found.left is None and person not in self._taken else None

    def _use(self, kind: str, number: int, address: str) -> None:
        self._used[kind, number] = (self._now(), address or self._used.get((kind, number), (None, ""))[1])

    def key_of(self, blob: bytes) -> PublicKey | None:
        return self._by_key.get(blob)


def _of_settings(token: Token) -> Credential:
    return Credential(token.name, token.secret.get_secret_value(), caller_of(token))
