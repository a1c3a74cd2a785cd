"""Promotions to protected environments: ask for one, see what stands in its way, approve or decline it."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import AwareDatetime, Field

from deployd.access.actions import Action, may, refuse_unless_may
from deployd.access.errors import NotFound
from deployd.api.answers import one, page
from deployd.api.asked import Asked, number_of
from deployd.api.bodies import Body, read_body
from deployd.api.route import ACCEPTED, ENVIRONMENT, ApiRoute, Resource
from deployd.commands.tickets import Asking
from deployd.errors import Unusable
from deployd.promotion.people import Person
from deployd.queries.ticket_shapes import CanPromoteShape, TicketPageShape, TicketShape

tickets = Resource()

PATH = "/api/v1/tickets"
TICKET = f"{PATH}/{{ticket}}"
MOST_WORDS, LONGEST_NAME, LONGEST_DIGEST = 500, 250, 64

Words = Annotated[str, Field(max_length=MOST_WORDS)]
Moment = Annotated[AwareDatetime, Field(strict=False)]


class PromoteBody(Body):
    """What is to become live, and how it is asked for."""

    source: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    """A branch, or a commit; without it what the environment takes commits from."""
    commit: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    """That was looked at, whole; when `source` has another one by now, nothing is done."""
    comment: Words = ""
    at: Moment | None = None
    """Not before this moment, with its offset."""
    emergency: Words = ""
    """Why approvals, windows and locks are not waited for; needs an admin."""


class ApproveBody(Body):
    """What was looked at."""

    digest: Annotated[str, Field(min_length=1, max_length=LONGEST_DIGEST)]
    """Of the ticket, as it was then; when it offers something else by now, nothing is approved."""
    comment: Words = ""


class ReasonBody(Body):
    """Why."""

    reason: Words = ""


class ScheduleBody(Body):
    """When it may become live at the earliest."""

    at: Moment | None = None
    """With its offset; without it as soon as nothing else stands in the way."""


@tickets.row(ApiRoute("GET", f"{ENVIRONMENT}/can-promote", Action.SEE,
                      "what stands in the way of a promotion to a protected environment", CanPromoteShape,
                      query=("source",)))
async def can_promote(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    return one(await asked.queries.tickets.can_promote(project, environment, _name(asked.query.get("source", ""))))


@tickets.row(ApiRoute("POST", f"{ENVIRONMENT}/promote", Action.PROMOTE,
                      "ask that something becomes live in a protected environment", TicketShape, body=PromoteBody,
                      status=ACCEPTED))
async def promote(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, PromoteBody)
    if body.emergency:
        refuse_unless_may(asked.caller, Action.EMERGENCY, project)
    asking = Asking(
        by=_person(asked), comment=body.comment, not_before=body.at, emergency_why=body.emergency,
        seen=body.commit,
    )
    made = await asked.commands.tickets.promote(project, environment, _name(body.source), asking)
    return one(made, ACCEPTED)


@tickets.row(ApiRoute("GET", PATH, Action.SEE, "tickets, newest first", TicketShape, many=True, cursor=True,
                      query=("project", "environment", "open")))
async def list_tickets(asked: Asked) -> web.Response:
    before, limit = asked.cursor()
    found = await asked.queries.tickets.latest(
        asked.projects(), asked.query.get("environment"), is_open=True if asked.is_set("open") else None,
        limit=limit + 1, before=before,
    )
    return page(asked.request, found, limit, lambda item: item.id)


@tickets.row(ApiRoute("GET", TICKET, Action.SEE, "one ticket, with all that is read before it is approved",
                      TicketPageShape))
async def show_ticket(asked: Asked) -> web.Response:
    return one(await _ticket(asked))


@tickets.row(ApiRoute("POST", f"{TICKET}/approve", Action.APPROVE, "approve what a ticket offers", TicketShape,
                      body=ApproveBody))
async def approve(asked: Asked) -> web.Response:
    found = (await _ticket(asked)).ticket
    body = await read_body(asked.request, ApproveBody)
    return one(await asked.commands.tickets.approve(found.id, body.digest, _person(asked), body.comment))


@tickets.row(ApiRoute("POST", f"{TICKET}/decline", Action.APPROVE, "end a ticket, with a reason", TicketShape,
                      body=ReasonBody))
async def decline(asked: Asked) -> web.Response:
    found = (await _ticket(asked)).ticket
    body = await read_body(asked.request, ReasonBody)
    return one(await asked.commands.tickets.decline(found.id, _person(asked), body.reason))


@tickets.row(ApiRoute("POST", f"{TICKET}/withdraw", Action.PROMOTE, "end one's own ticket", TicketShape,
                      body=ReasonBody))
async def withdraw(asked: Asked) -> web.Response:
    found = (await _ticket(asked)).ticket
    body = await read_body(asked.request, ReasonBody)
    return one(await asked.commands.tickets.withdraw(found.id, _person(asked), body.reason))


@tickets.row(ApiRoute("POST", f"{TICKET}/schedule", Action.PROMOTE, "say when a ticket may become live", TicketShape,
                      body=ScheduleBody))
async def schedule(asked: Asked) -> web.Response:
    found = (await _ticket(asked)).ticket
    body = await read_body(asked.request, ScheduleBody)
    is_approver = may(asked.caller, Action.APPROVE, found.project)
    return one(await asked.commands.tickets.schedule(
        found.id, body.at, _person(asked), is_approver=is_approver,
    ))


@tickets.row(ApiRoute("POST", f"{TICKET}/emergency", Action.EMERGENCY,
                      "let a ticket become live without approvals, windows and locks", TicketShape, body=ReasonBody))
async def emergency(asked: Asked) -> web.Response:
    found = (await _ticket(asked)).ticket
    body = await read_body(asked.request, ReasonBody)
    return one(await asked.commands.tickets.open_for_emergency(found.id, _person(asked), body.reason))


def _person(asked: Asked) -> Person:
    return asked.commands.tickets.person(asked.caller)


async def _ticket(asked: Asked) -> TicketPageShape:
    """
    Raises:
        NotFound: There is none for this caller.
        Forbidden: The caller's role in its project does not do this.
    """
    number = number_of(asked.request.match_info["ticket"], "the ticket's number")
    found = await asked.queries.tickets.page(number)
    if found is None or not asked.caller.may_see(found.ticket.project):
        raise NotFound(f"there is no ticket {number}", hint="`deployd ticket list` shows what there is")
    if asked.action is not None:
        refuse_unless_may(asked.caller, asked.action, found.ticket.project)
    return found


def _name(text: str) -> str:
    """
    Raises:
        Unusable: No branch is called so, nor a commit.
    """
    if text.startswith("-") or not text.isprintable() or " " in text or len(text) > LONGEST_NAME:
        raise Unusable(f"{text[:40]!r} is neither a branch nor a commit", where="source")
    return text
