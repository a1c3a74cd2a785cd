"""Pages of tickets: which there are, one with all that is read before it is approved, and how one is asked for.

The form that approves carries the digest of what its page showed: when something else is offered by now, it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from deployd.access.actions import Action, may, refuse_unless_may
from deployd.access.errors import NotFound
from deployd.commands.tickets import Asking
from deployd.console.asked import Asked
from deployd.console.confirm import moment_of
from deployd.errors import DeployError, Unusable
from deployd.promotion.people import Person
from deployd.queries.ticket_shapes import CanPromoteShape, TicketPageShape, TicketShape, words_of_deed

SHOWN = 50
LONGEST_WORDS = 500


async def tickets(asked: Asked) -> str:
    """`all=1`: also those that have ended."""
    everything, before = asked.query.get("all") == "1", asked.number("before")
    projects = None if asked.caller.is_everywhere else asked.caller.projects
    found = await asked.queries.tickets.latest(
        projects, None, is_open=None if everything else True, limit=SHOWN + 1, before=before,
    )
    return await asked.page(
        "tickets.html", tickets=found[:SHOWN], everything=everything,
        older=found[SHOWN - 1].id if len(found) > SHOWN else None,
    )


async def ticket(asked: Asked) -> str:
    found = await _found(asked)
    one, caller = found.ticket, asked.caller
    me = _me(asked)
    is_own = me.is_same(Person(one.asked_by))
    return await asked.page(
        "ticket.html", found=found, ticket=one, is_own=is_own,
        may_approve=may(caller, Action.APPROVE, one.project) and not is_own,
        may_open=may(caller, Action.EMERGENCY, one.project),
    )


async def promote_page(asked: Asked) -> str:
    """`source` says of what; without it what the environment takes commits from."""
    found = await asked.environment()
    refuse_unless_may(asked.caller, Action.PROMOTE, found.project)
    can: CanPromoteShape | None = None
    wrong: DeployError | None = None
    try:
        can = await asked.queries.tickets.can_promote(found.project, found.name, _source(asked.query))
    except DeployError as error:
        wrong = error
    return await asked.page(
        "promote.html", environment=found, can=can, wrong=wrong, source=_source(asked.query),
        may_open=may(asked.caller, Action.EMERGENCY, found.project),
    )


async def promote(asked: Asked, fields: Mapping[str, str]) -> str:
    found = await asked.environment()
    refuse_unless_may(asked.caller, Action.PROMOTE, found.project)
    emergency = fields.get("emergency", "")[:LONGEST_WORDS]
    if emergency:
        refuse_unless_may(asked.caller, Action.EMERGENCY, found.project)
    made = await asked.commands.tickets.promote(found.project, found.name, _source(fields), Asking(
        by=_me(asked), seen=fields.get("commit", ""), comment=fields.get("comment", "")[:LONGEST_WORDS],
        not_before=moment_of(fields, "at"), emergency_why=emergency,
    ))
    return _done(asked, made)


async def approve(asked: Asked, fields: Mapping[str, str]) -> str:
    number = (await _found_for(asked, Action.APPROVE)).ticket.id
    return _done(asked, await asked.commands.tickets.approve(
        number, fields.get("digest", ""), _me(asked), fields.get("comment", ""),
    ))


async def decline(asked: Asked, fields: Mapping[str, str]) -> str:
    number = (await _found_for(asked, Action.APPROVE)).ticket.id
    return _done(asked, await asked.commands.tickets.decline(
        number, _me(asked), fields.get("reason", ""),
    ))


async def withdraw(asked: Asked, fields: Mapping[str, str]) -> str:
    number = (await _found_for(asked, Action.PROMOTE)).ticket.id
    return _done(asked, await asked.commands.tickets.withdraw(
        number, _me(asked), fields.get("reason", ""),
    ))


async def schedule(asked: Asked, fields: Mapping[str, str]) -> str:
    found = (await _found_for(asked, Action.PROMOTE)).ticket
    is_approver = may(asked.caller, Action.APPROVE, found.project)
    return _done(asked, await asked.commands.tickets.schedule(
        found.id, moment_of(fields, "at"), _me(asked), is_approver=is_approver,
    ))


async def emergency(asked: Asked, fields: Mapping[str, str]) -> str:
    number = (await _found_for(asked, Action.EMERGENCY)).ticket.id
    return _done(asked, await asked.commands.tickets.open_for_emergency(
        number, _me(asked), fields.get("reason", ""),
    ))


def _done(asked: Asked, ticket: TicketShape) -> str:
    """Note it, and go back to its page."""
    asked.noted.append(words_of_deed(asdict(ticket)))
    return f"/tickets/{ticket.id}"


def _me(asked: Asked) -> Person:
    return asked.commands.tickets.person(asked.caller)


async def _found_for(asked: Asked, action: Action) -> TicketPageShape:
    found = await _found(asked)
    refuse_unless_may(asked.caller, action, found.ticket.project)
    return found


async def _found(asked: Asked) -> TicketPageShape:
    """
    Raises:
        NotFound: There is none for this caller.
    """
    found = await asked.queries.tickets.page(int(asked.names["ticket"]))
    if found is None or not asked.caller.may_see(found.ticket.project):
        raise NotFound(f"there is no ticket {asked.names['ticket']}",
                       hint="the address has a typing error, or the token is for other projects")
    return found


def _source(fields: Mapping[str, str]) -> str:
    """
    Raises:
        Unusable: No branch is called so, nor a commit.
    """
    text = fields.get("source", "").strip()
    if text.startswith("-") or not text.isprintable() or " " in text or len(text) > LONGEST_WORDS:
        raise Unusable(f"{text[:40]!r} is neither a branch nor a commit", hint="main, or the first digits of a commit")
    return text
