"""Pages of persons: who there is, and of each (oneself first of all) roles, tokens and SSH keys."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from deployd.access.actions import Action
from deployd.access.errors import NotFound
from deployd.access.giving import refuse_to_credential, refuse_to_give, refuse_unless_host_admin, refuse_unless_own
from deployd.access.people import LONGEST_TEXT
from deployd.access.roles import EVERY, Role
from deployd.commands.people import MOST_DAYS, USUAL_DAYS
from deployd.console.asked import Asked, Told
from deployd.errors import Unusable
from deployd.queries.people import PersonShape

FOR_EVER = "for-ever"
LONGEST_KEY = 20_000


async def people(asked: Asked) -> str:
    asked.refuse_unless_may(Action.MANAGE_PEOPLE)
    return await asked.page(
        "people.html", people=asked.queries.people.all(asked.caller), projects=await _projects(asked),
        roles=[role.value for role in Role],
    )


async def person(asked: Asked) -> str:
    """Somebody, for admins and for themselves."""
    return await _page(asked, _found(asked))


async def account(asked: Asked) -> str:
    """Oneself."""
    return await _page(asked, asked.queries.people.find(asked.caller.person, asked.caller))


async def add_person(asked: Asked, fields: Mapping[str, str]) -> str:
    asked.refuse_unless_may(Action.MANAGE_PEOPLE)
    roles = {fields.get("project") or EVERY: _role(fields)} if fields.get("role") else {}
    refuse_to_give(asked.caller, roles)
    made = await asked.commands.people.add(
        fields.get("id", "").strip(), fields.get("name", ""), fields.get("email", ""), roles, by=asked.caller,
    )
    return _address(made.id)


async def change_person(asked: Asked, fields: Mapping[str, str]) -> str:
    who = asked.names["person"]
    refuse_unless_own(asked.caller, who)
    await asked.commands.people.change(
        who, name=fields.get("name", ""), email=fields.get("email", ""), by=asked.caller,
    )
    return _back(asked)


async def give_role(asked: Asked, fields: Mapping[str, str]) -> str:
    """An empty role takes it away."""
    project = fields.get("project") or EVERY
    role = _role(fields) if fields.get("role") else None
    refuse_to_give(asked.caller, {project: role})
    await asked.commands.people.change(asked.names["person"], roles={project: role}, by=asked.caller)
    return _back(asked)


async def leave(asked: Asked, fields: Mapping[str, str]) -> str:
    refuse_unless_host_admin(asked.caller)
    who = asked.names["person"]
    if fields.get("id", "").strip() != who:
        raise Unusable("the id that was typed is not theirs, and nothing was changed", hint=f"type {who} to confirm")
    await asked.commands.people.leave(who)
    return _address(who)


async def come_back(asked: Asked, _: Mapping[str, str]) -> str:
    refuse_unless_host_admin(asked.caller)
    await asked.commands.people.come_back(asked.names["person"], by=asked.caller)
    return _address(asked.names["person"])


async def add_token(asked: Asked, fields: Mapping[str, str]) -> Told:
    """The one page that shows a secret; it is made by the form itself, and by no address."""
    who, role, projects = asked.names["person"], _role(fields), (fields.get("project") or EVERY,)
    refuse_unless_own(asked.caller, who)   # before anybody learns who there is
    refuse_to_credential(asked.caller, asked.commands.people.find(who), role, projects)
    _, secret = await asked.commands.people.add_token(
        who, fields.get("label", ""), role=role, projects=projects, days=_days(fields),
    )
    return Told(await _page(asked, asked.queries.people.find(who, asked.caller), secret))


async def remove_token(asked: Asked, fields: Mapping[str, str]) -> str:
    refuse_unless_own(asked.caller, asked.names["person"])
    await asked.commands.people.remove_token(asked.names["person"], fields.get("label", ""))
    return _back(asked)


async def add_key(asked: Asked, fields: Mapping[str, str]) -> str:
    who = asked.names["person"]
    refuse_unless_own(asked.caller, who)   # before anybody learns who there is
    refuse_to_credential(asked.caller, asked.commands.people.find(who))
    line = fields.get("key", "")[:LONGEST_KEY]
    await asked.commands.people.add_key(who, fields.get("label", "")[:LONGEST_TEXT], line)
    return _back(asked)


async def remove_key(asked: Asked, fields: Mapping[str, str]) -> str:
    refuse_unless_own(asked.caller, asked.names["person"])
    await asked.commands.people.remove_key(asked.names["person"], fields.get("label", ""))
    return _back(asked)


async def _page(asked: Asked, found: PersonShape | None, secret: str = "") -> str:
    is_own = found is not None and asked.caller.person == found.id
    return await asked.page(
        "person.html", person=found, is_own=is_own, is_host_admin=asked.caller.role_on_host() is Role.ADMIN,
        projects=await _projects(asked), roles=[role.value for role in Role], secret=secret, usual_days=USUAL_DAYS,
        for_ever=FOR_EVER,
    )


def _found(asked: Asked) -> PersonShape:
    who = asked.names["person"]
    found = asked.queries.people.find(who, asked.caller)
    if found is None or (asked.caller.person != who and not _manages(asked)):
        raise NotFound(f"there is no person {who[:LONGEST_TEXT]}", hint="the list of people shows who there is")
    return found


def _manages(asked: Asked) -> bool:
    role = asked.caller.role_anywhere()
    return role is Role.ADMIN


async def _projects(asked: Asked) -> list[str]:
    """In which the caller may say something."""
    return [item.id for item in await asked.queries.projects.all() if asked.caller.may_see(item.id)]


def _role(fields: Mapping[str, str]) -> Role:
    """
    Raises:
        Unusable: It is none.
    """
    try:
        return Role(fields.get("role", ""))
    except ValueError:
        raise Unusable(f"{fields.get('role', '')[:20]!r} is no role",
                       hint="one of " + ", ".join(role.value for role in Role)) from None


def _days(fields: Mapping[str, str]) -> int | None:
    text = fields.get("days", "")
    if text == FOR_EVER:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise Unusable(f"a token cannot last {text[:20]!r} days", where="days", hint=f"1 to {MOST_DAYS}")
    return int(text)


def _address(who: str) -> str:
    return f"/people/{quote(who, safe='')}"


def _back(asked: Asked) -> str:
    """To the page that the form was on."""
    who = asked.names["person"]
    return "/account" if asked.caller.person == who else _address(who)
