"""Who there is: persons, their roles, tokens and keys. What is changed counts from the next request on.

The database has it, and the directory that requests ask is filled anew from it after each change.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial, wraps
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

import structlog

from deployd.access.actions import LEAST, Action
from deployd.access.caller import OPERATOR, Caller
from deployd.access.directory import Directory
from deployd.access.errors import NotFound
from deployd.access.giving import refuse_outdated
from deployd.access.people import (
    LONGEST_ID,
    Person,
    PersonalToken,
    PersonUnusable,
    PublicKey,
    digest_of,
    make_secret,
    read_key,
)
from deployd.access.roles import EVERY, Role
from deployd.access.usable_people import refuse_unknown, refuse_unusable, usable_label
from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.ids import ProjectId
from deployd.promotion.people import SOMEBODY
from deployd.settings import ProjectSettings
from deployd.state import people, tickets
from deployd.state.store import Store

log = structlog.get_logger()

T = TypeVar("T")
P = ParamSpec("P")
USES_SECONDS = 60.0
"""How often it is written down which tokens and keys were used."""
MOST_DAYS, USUAL_DAYS = 3650, 90
OURS = frozenset({OPERATOR.name, SOMEBODY.name})
"""Whom the audit log names for what root did, and for what nobody did."""
MOST_OF_ONE = 100
"""Tokens, and keys, of one person."""


class AlreadyThere(DeployError):
    """A person, a token or a key of this name exists."""

    code: ClassVar[str] = "already-there"


def _alone(change: Callable[Concatenate[PeopleCommands, P], Awaitable[T]]) -> Callable[
    Concatenate[PeopleCommands, P], Coroutine[Any, Any, T],
]:
    """One after the other: what is written is made of what is there then. Else somebody who changes their own name just
    when they lose a role would write the roles that they had."""
    @wraps(change)
    async def alone(self: PeopleCommands, /, *args: P.args, **more: P.kwargs) -> T:
        async with self.changing:
            return await change(self, *args, **more)

    return alone


class PeopleCommands:
    def __init__(
        self, store: Store, directory: Directory, clock: Clock, projects: Mapping[ProjectId, ProjectSettings],
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._projects = projects
        self.changing = asyncio.Lock()
        self._doubled: Sequence[str] = ()

    async def load(self) -> None:
        """Go on with those of the database."""
        self._directory.replace(await self._store.read(people.read_all))
        doubled, self._doubled = self._doubled, self._directory.doubled
        for person in set(self._doubled) - set(doubled):
            log.error("person_not_let_in", person=person, why="a token of the settings has this name",
                      hint="rename the token")

    async def serve(self) -> None:
        """Write down now and then which tokens and keys were used."""
        while True:
            await asyncio.sleep(USES_SECONDS)
            await self.write_uses()

    async def write_uses(self) -> None:
        uses = self._directory.take_uses()
        if uses:
            await self._store.write(lambda db: people.note_uses(db, uses))
            async with self.changing:   # else what was read before a change would take its place
                await self.load()

    @_alone
    async def add(
        self, id_: str, name: str, email: str, roles: Mapping[str, Role], *, by: Caller | None = None,
    ) -> Person:
        """
        Args:
            by: Whose request it is, as it was let in.

        Raises:
            Forbidden: They may something else by now.
            PersonUnusable: The id, the name, the address or a project cannot be taken.
            AlreadyThere: There is somebody of this id, or a token of the settings.
        """
        self._refuse_outdated(by)
        made = Person(id=id_, name=name.strip() or id_, email=email.strip(), roles=dict(roles), since=self._clock.now())
        refuse_unusable(made, self._projects)
        if any(token.name == id_ for token in self._directory.settings_tokens) or id_ in OURS:
            whose = "deployd's own" if id_ in OURS else "the name of a token in the settings"
            raise AlreadyThere(f"{id_} is {whose}, and nobody could tell the two apart",
                               hint="choose another id, or rename the token")
        if (there := self._find(id_)) is not None:
            gone = "; they left, and `deployd people return` takes them back" if there.left else ""
            raise AlreadyThere(f"there is a person {id_} already{gone}", hint="choose another id")
        return await self._put(made)

    @_alone
    async def change(
        self, id_: str, *, name: str | None = None, email: str | None = None,
        roles: Mapping[str, Role | None] | None = None, by: Caller | None = None,
    ) -> Person:
        """
        Args:
            roles: {project or `EVERY`: the role from now on; None: none there}
            by: As of `add`.

        Raises:
            NotFound, PersonUnusable, Forbidden: See `add`.
        """
        self._refuse_outdated(by)
        found = self.find(id_)
        wanted = {**found.roles, **(roles or {})}
        changed = replace(
            found, name=found.name if name is None else name.strip(), email=found.email if email is None else
            email.strip(), roles={project: role for project, role in wanted.items() if role is not None},
        )
        refuse_unusable(changed, self._projects)

        def write(db: sqlite3.Connection) -> None:
            people.put_person(db, changed)
            tickets.forget_approvals(db, id_, partial(changed.may, LEAST[Action.APPROVE]))

        await self._write(write)
        return changed

    @_alone
    async def leave(self, id_: str) -> Person:
        """Somebody is gone: their tokens and keys are removed, what they did keeps their name. What they approved, and
        is not under way, waits for others.

        Raises:
            NotFound: There is no such person.
        """
        found = self.find(id_)
        left = replace(found, left=found.left or self._clock.now())

        def write(db: sqlite3.Connection) -> None:
            people.put_person(db, left)
            people.remove_credentials(db, id_)
            tickets.forget_approvals(db, id_, lambda _: False)

        await self._write(write)
        return left

    @_alone
    async def come_back(self, id_: str, *, by: Caller | None = None) -> Person:
        """Somebody who left is back, with their roles, and without tokens and keys. `by` as of `add`."""
        self._refuse_outdated(by)
        return await self._put(replace(self.find(id_), left=None))

    @_alone
    async def add_token(
        self, id_: str, label: str, *, role: Role = Role.ADMIN, projects: tuple[str, ...] = (EVERY,),
        days: int | None = USUAL_DAYS,
    ) -> tuple[PersonalToken, str]:
        """(token, its secret, which is never seen again)

        Args:
            days: How long it is good; None: until somebody removes it.

        Raises:
            NotFound, PersonUnusable, AlreadyThere: See `add`.
        """
        self._there(id_)
        label = usable_label(label)
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise PersonUnusable(f"a token cannot last {days} days", hint=f"1 to {MOST_DAYS}")
        refuse_unknown(projects, self._projects)
        own = [token for token in self._directory.people.tokens if token.person == id_]
        _refuse_doubled(id_, label, "token", [token.label for token in own])
        now, secret = self._clock.now(), make_secret()
        made = PersonalToken(
            number=0, person=id_, label=label, digest=digest_of(secret), role=role, projects=projects, since=now,
            ends=now + timedelta(days=days) if days is not None else None,
        )
        number = await self._write(lambda db: people.add_token(db, made))
        return replace(made, number=number), secret

    @_alone
    async def remove_token(self, id_: str, label: str) -> PersonalToken:
        """
        Raises:
            NotFound: They have none of this label.
        """
        tokens = self._directory.people.tokens
        found = next((token for token in tokens if (token.person, token.label) == (id_, label)), None)
        if found is None:
            raise NotFound(f"{id_} has no token {label}", hint="it may have been removed already: deployd token list")
        await self._write(partial(people.remove_token, number=found.number))
        return found

    @_alone
    async def add_key(self, id_: str, label: str, line: str) -> PublicKey:
        """
        Args:
            line: As in a file `id_ed25519.pub`.

        Raises:
            NotFound, AlreadyThere: See `add`.
            PublicKeyUnusable: It is no public key, or a weak one.
        """
        self._there(id_)
        blob, comment = read_key(line)
        label = usable_label(label or comment or "key")
        own = [key for key in self._directory.people.keys if key.person == id_]
        _refuse_doubled(id_, label, "key", [key.label for key in own])
        if (known := self._directory.key_of(blob)) is not None:
            whose = "theirs already" if known.person == id_ else "another person's"
            raise AlreadyThere(f"the key {known.fingerprint} is {whose}",
                               hint="a key says who somebody is: each person makes one of their own")
        made = PublicKey(number=0, person=id_, label=label, blob=blob, since=self._clock.now())
        number = await self._write(lambda db: people.add_key(db, made))
        return replace(made, number=number)

    @_alone
    async def remove_key(self, id_: str, label: str) -> PublicKey:
        """
        Args:
            label: Of the key, or its fingerprint.

        Raises:
            NotFound: They have none of this label.
        """
        own = [key for key in self._directory.people.keys if key.person == id_]
        found = next((key for key in own if label in (key.label, key.fingerprint)), None)
        if found is None:
            raise NotFound(f"{id_} has no key {label}", hint="it may have been removed already: deployd key list")
        await self._write(partial(people.remove_key, number=found.number))
        return found

    def find(self, id_: str) -> Person:
        """
        Raises:
            NotFound: There is no such person.
        """
        found = self._find(id_)
        if found is None:
            raise NotFound(f"there is no person {id_[:LONGEST_ID]}", hint="deployd people list shows who there is")
        return found

    def _refuse_outdated(self, by: Caller | None) -> None:
        refuse_outdated(by, self._find(by.person) if by is not None else None)

    def _find(self, id_: str) -> Person | None:
        return next((person for person in self._directory.people.persons if person.id == id_), None)

    def _there(self, id_: str) -> Person:
        found = self.find(id_)
        if found.left is not None:
            raise PersonUnusable(f"{id_} has left", hint=f"deployd people return {id_} takes them back")
        return found

    async def _put(self, person: Person) -> Person:
        await self._write(lambda db: people.put_person(db, person))
        return person

    async def _write(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Change something."""
        try:
            found = await self._store.write(query)
        except sqlite3.IntegrityError:
            raise AlreadyThere("somebody else has made the same at this moment", hint="look at the list") from None
        await self.load()
        return found

def _refuse_doubled(person: str, label: str, kind: str, there: list[str]) -> None:
    if label in there:
        raise AlreadyThere(f"{person} has a {kind} {label} already", hint="remove that one, or choose another label")
    if len(there) >= MOST_OF_ONE:
        raise AlreadyThere(f"{person} has {len(there)} {kind}s, and no more are taken", hint="remove some of them")
