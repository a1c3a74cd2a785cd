"""Who may make persons, roles, tokens and keys: nobody gives what they do not have themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from deployd.access.caller import Caller
from deployd.access.errors import Forbidden
from deployd.access.people import Person
from deployd.access.roles import EVERY, Role, capped


def refuse_unless_own(caller: Caller, id_: str) -> None:
    """Tokens and keys are made and removed by their owner, and by admins of the host.

    Raises:
        Forbidden: The caller is neither.
    """
    if caller.person != id_ and caller.role_on_host() is not Role.ADMIN:
        raise Forbidden(f"tokens and keys of {id_} are for {id_} and for admins of the host")


def refuse_unless_host_admin(caller: Caller) -> None:
    """
    Raises:
        Forbidden: The caller is none.
    """
    if caller.role_on_host() is not Role.ADMIN:
        raise Forbidden(f"{caller.name} is no admin of the host, and this needs one")


def refuse_to_credential(
    caller: Caller, person: Person, role: Role = Role.ADMIN, projects: tuple[str, ...] = (EVERY,),
) -> None:
    """A token or a key is made by its owner, or by an admin of the host, and never does more than the token does
    that it is made with: a token for reading, stolen, gets nobody further.

    Args:
        role, projects: Of the token that is to be made; a key does all that its owner may.

    Raises:
        Forbidden: The caller is neither, or is here with less.
    """
    refuse_unless_own(caller, person.id)
    if caller.role_on_host() is Role.ADMIN:
        return
    # What both may today is not all: its owner may become more, and the new one would do what this one never may.
    is_less = not (caller.most.includes(role) and (EVERY in caller.only or set(projects) <= set(caller.only)))
    for project, wanted in capped(person.roles, role, projects).items():
        own = caller.role_on_host() if project == EVERY else caller.role_in(project)
        is_less = is_less or own is None or not own.includes(wanted)
    if is_less:
        raise Forbidden(
            f"the token {caller.by} that you are here with may do less than what is to be made would",
            hint="use a token without limits, or ask an admin of the host",
        )


def refuse_to_give(caller: Caller, projects: Iterable[str]) -> None:
    """Who may do what in a project is said by its admins; of the host, by admins of the host.

    Raises:
        Forbidden: The caller is no admin there.
    """
    for project in projects:
        role = caller.role_on_host() if project == EVERY else caller.role_in(project)
        if role is not Role.ADMIN:
            where = "the host" if project == EVERY else project
            raise Forbidden(f"{caller.name} is no admin of {where}, and cannot say who may do what there")


def refuse_outdated(by: Caller | None, person: Person | None) -> None:
    """A request waits for those before it, and one of these may have taken away what it was let in for: an admin
    who loses the role would give it back to themselves.

    Args:
        person: Whose caller it is, as they are now; None: there is no such person any more.

    Raises:
        Forbidden: Its person may something else by now.
    """
    if by is None or not by.person:
        return
    if person is None or person.left is not None or capped(person.roles, by.most, by.only) != by.roles:
        raise Forbidden(f"what {by.name} may do was changed just now", hint="ask again")
