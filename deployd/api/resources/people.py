"""Persons, their roles, tokens and SSH keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from deployd.access.actions import Action
from deployd.access.giving import refuse_to_credential, refuse_to_give, refuse_unless_host_admin, refuse_unless_own
from deployd.access.people import LONGEST_TEXT
from deployd.access.roles import EVERY, Role
from deployd.api.answers import many, one
from deployd.api.asked import Asked
from deployd.api.bodies import Body, read_body
from deployd.api.route import ApiRoute, Resource
from deployd.commands.people import MOST_DAYS, USUAL_DAYS
from deployd.queries.people import PersonShape

people = Resource()

PEOPLE = "/api/v1/people"
PERSON = f"{PEOPLE}/{{person}}"
CREATED = 201
RoleName = Literal["viewer", "contributor", "approver", "admin"]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Label = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
MOST_ROLES = 1000


class PersonBody(Body):
    """Somebody new."""

    id: Text
    name: Text = ""
    email: Text = ""
    roles: Annotated[dict[Text, RoleName], Field(max_length=MOST_ROLES)] = Field(default_factory=dict)
    """{project, or `*` for all}"""


class PersonChangeBody(Body):
    """What is to be different; what is not named stays."""

    name: Text | None = None
    email: Text | None = None
    roles: Annotated[dict[Text, RoleName | None], Field(max_length=MOST_ROLES)] = Field(default_factory=dict)
    """null takes a role away."""


class TokenBody(Body):
    """A new token of a person."""

    label: Label
    role: RoleName = "admin"
    """The most that it does, whatever its owner may."""
    projects: Annotated[list[Text], Field(min_length=1, max_length=MOST_ROLES)] = Field(default=[EVERY])
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = USUAL_DAYS
    """null: until somebody removes it."""


class KeyBody(Body):
    """A new SSH key of a person."""

    label: Text = ""
    """The comment of the key when it is empty."""
    key: Annotated[str, Field(max_length=20_000)]
    """The line of a file like `id_ed25519.pub`."""


class LabelBody(Body):
    """Which token or key."""

    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMadeShape:
    """A new token. Its secret is told this once."""

    person: str
    label: str
    secret: str
    ends: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeShape:
    """Whoever asks."""

    name: str
    by: str
    """The label of the token; empty for a token of the settings."""
    roles: dict[str, str]
    """What is done with this token: {project, `*` for all: role}"""
    person: PersonShape | None
    """Null: a token of the settings, or root on the daemon's own machine."""


@people.row(ApiRoute("GET", "/api/v1/me", Action.SEE, "who one is, and what one may", MeShape))
async def show_me(asked: Asked) -> web.Response:
    caller = asked.caller
    return one(MeShape(
        name=caller.name, by=caller.by, roles={project: role.value for project, role in caller.roles.items()},
        person=asked.queries.people.find(caller.person, caller),
    ))


@people.row(ApiRoute("GET", PEOPLE, Action.MANAGE_PEOPLE, "who there is, with their roles", PersonShape, many=True))
async def list_people(asked: Asked) -> web.Response:
    return many(asked.queries.people.all(asked.caller))


@people.row(ApiRoute("POST", PEOPLE, Action.MANAGE_PEOPLE, "take somebody in", PersonShape, body=PersonBody,
                     status=CREATED))
async def add_person(asked: Asked) -> web.Response:
    body = await read_body(asked.request, PersonBody)
    refuse_to_give(asked.caller, body.roles)
    roles = {project: Role(role) for project, role in body.roles.items()}
    made = await asked.commands.people.add(body.id, body.name, body.email, roles, by=asked.caller)
    return one(_person(asked, made.id), status=CREATED)


@people.row(ApiRoute("POST", f"{PERSON}/change", Action.SEE,
                     "change a name or address (one's own), or roles (those of projects that one is an admin of)",
                     PersonShape, body=PersonChangeBody))
async def change_person(asked: Asked) -> web.Response:
    body, person = await read_body(asked.request, PersonChangeBody), asked.request.match_info["person"]
    if body.name is not None or body.email is not None or not body.roles:
        refuse_unless_own(asked.caller, person)
    refuse_to_give(asked.caller, body.roles)
    roles = {project: Role(role) if role else None for project, role in body.roles.items()}
    await asked.commands.people.change(person, name=body.name, email=body.email, roles=roles, by=asked.caller)
    return one(_person(asked, person))


@people.row(ApiRoute("POST", f"{PERSON}/leave", Action.MANAGE_PEOPLE,
                     "somebody is gone: their tokens and keys are removed, and what they did keeps their name",
                     PersonShape))
async def leave(asked: Asked) -> web.Response:
    person = asked.request.match_info["person"]
    refuse_unless_own(asked.caller, person)
    await asked.commands.people.leave(person)
    return one(_person(asked, person))


@people.row(ApiRoute("POST", f"{PERSON}/return", Action.MANAGE_PEOPLE,
                     "take somebody back who left, with their roles and without tokens and keys", PersonShape))
async def come_back(asked: Asked) -> web.Response:
    person = asked.request.match_info["person"]
    refuse_unless_host_admin(asked.caller)
    await asked.commands.people.come_back(person, by=asked.caller)
    return one(_person(asked, person))


@people.row(ApiRoute("POST", f"{PERSON}/tokens", Action.SEE, "make a token of a person; its secret is told this once",
                     TokenMadeShape, body=TokenBody, status=CREATED, is_secret=True))
async def add_token(asked: Asked) -> web.Response:
    body, person = await read_body(asked.request, TokenBody), asked.request.match_info["person"]
    role, projects = Role(body.role), tuple(body.projects)
    refuse_unless_own(asked.caller, person)   # before anybody learns who there is
    refuse_to_credential(asked.caller, asked.commands.people.find(person), role, projects)
    made, secret = await asked.commands.people.add_token(person, body.label, role=role, projects=projects,
                                                         days=body.days)
    ends = made.ends.isoformat() if made.ends else None
    return one(TokenMadeShape(person=person, label=made.label, secret=secret, ends=ends), status=CREATED)


@people.row(ApiRoute("POST", f"{PERSON}/tokens/remove", Action.SEE, "remove a token; its sessions end", PersonShape,
                     body=LabelBody))
async def remove_token(asked: Asked) -> web.Response:
    body, person = await read_body(asked.request, LabelBody), asked.request.match_info["person"]
    refuse_unless_own(asked.caller, person)
    await asked.commands.people.remove_token(person, body.label)
    return one(_person(asked, person))


@people.row(ApiRoute("POST", f"{PERSON}/keys", Action.SEE, "take an SSH key of a person", PersonShape, body=KeyBody,
                     status=CREATED))
async def add_key(asked: Asked) -> web.Response:
    body, person = await read_body(asked.request, KeyBody), asked.request.match_info["person"]
    refuse_unless_own(asked.caller, person)   # before anybody learns who there is
    refuse_to_credential(asked.caller, asked.commands.people.find(person))
    await asked.commands.people.add_key(person, body.label, body.key)
    return one(_person(asked, person), status=CREATED)


@people.row(ApiRoute("POST", f"{PERSON}/keys/remove", Action.SEE, "remove an SSH key; its connections end",
                     PersonShape, body=LabelBody))
async def remove_key(asked: Asked) -> web.Response:
    body, person = await read_body(asked.request, LabelBody), asked.request.match_info["person"]
    refuse_unless_own(asked.caller, person)
    await asked.commands.people.remove_key(person, body.label)
    return one(_person(asked, person))


def _person(asked: Asked, person: str) -> PersonShape:
    found = asked.queries.people.find(person, asked.caller)
    assert found is not None, person
    return found
