"""Who there is, and what each proves who they are with: never a secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from deployd.access.caller import Caller
from deployd.access.directory import Directory
from deployd.access.people import Person, PersonalToken, PublicKey
from deployd.access.roles import Role, role_in


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalTokenShape:
    """A token of a person."""

    label: str
    role: str
    """The most that it does, whatever its owner may."""
    projects: tuple[str, ...]
    since: str
    ends: str | None
    """Null: it does not run out."""
    is_over: bool
    used: str | None
    """Last, to a minute; null: never."""
    used_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeyShape:
    """An SSH key of a person."""

    label: str
    type: str
    fingerprint: str
    since: str
    used: str | None
    """Last, to a minute; null: never."""
    used_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonShape:
    """Somebody who may do something."""

    id: str
    name: str
    email: str
    roles: dict[str, str] = field(default_factory=dict)
    """{project, `*` for all: `viewer`, `contributor`, `approver` or `admin`}"""
    since: str
    left: str | None
    """Null: they are there."""
    tokens: tuple[PersonalTokenShape, ...] | None
    """Null: these are for themselves and for admins of the host."""
    keys: tuple[PublicKeyShape, ...] | None


class PeopleQueries:
    def __init__(self, directory: Directory, now: Callable[[], datetime]) -> None:
        self._directory = directory
        self._now = now

    def all(self, caller: Caller) -> list[PersonShape]:
        """Everybody; of their roles those in projects that the caller sees."""
        return [self._shape(person, caller) for person in self._directory.people.persons]

    def find(self, person: str, caller: Caller) -> PersonShape | None:
        return next((one for one in self.all(caller) if one.id == person), None)

    def _shape(self, person: Person, caller: Caller) -> PersonShape:
        is_own = caller.person == person.id or caller.role_on_host() is Role.ADMIN
        people = self._directory.people
        return PersonShape(
            id=person.id, name=person.name, email=person.email, since=person.since.isoformat(),
            roles={project: role.value for project, role in person.roles.items() if is_own or caller.may_see(project)},
            left=_text(person.left),
            tokens=tuple(self._token(token) for token in people.tokens if token.person == person.id)
            if is_own else None,
            keys=tuple(self._key(key) for key in people.keys if key.person == person.id) if is_own else None,
        )

    def _token(self, token: PersonalToken) -> PersonalTokenShape:
        used, used_from = self._directory.use_of(token)
        return PersonalTokenShape(
            label=token.label, role=token.role.value, projects=token.projects, since=token.since.isoformat(),
            ends=_text(token.ends), is_over=token.ends is not None and token.ends <= self._now(),
            used=_text(used), used_from=used_from,
        )

    def _key(self, key: PublicKey) -> PublicKeyShape:
        used, used_from = self._directory.use_of(key)
        return PublicKeyShape(
            label=key.label, type=key.type, fingerprint=key.fingerprint, since=key.since.isoformat(),
            used=_text(used), used_from=used_from,
        )

    def with_role(self, project: str, least: Role) -> list[str]:
        """Who has at least this role in a project, by their ids: whom to ask."""
        return [
            person.id for person in self._directory.people.persons
            if person.left is None and (role := role_in(person.roles, project)) is not None and role.includes(least)
        ]


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
