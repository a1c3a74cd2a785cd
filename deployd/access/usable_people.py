"""What persons, and labels of their tokens and keys, may be called. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from deployd.access.people import EMAIL, LONGEST_ID, LONGEST_TEXT, PERSON_ID, Person, PersonUnusable
from deployd.access.roles import EVERY
from deployd.ids import ProjectId


def refuse_unusable(person: Person, projects: Collection[ProjectId]) -> None:
    """
    Raises:
        PersonUnusable: The id, the name, the address or a project cannot be taken.
    """
    if len(person.id) > LONGEST_ID or not PERSON_ID.fullmatch(person.id):
        raise PersonUnusable(f"{person.id[:LONGEST_ID]!r} cannot be the id of a person", where="id",
                             hint="lower-case letters and digits, joined by . _ or -, such as anna or anna.smith")
    for what, text in (("name", person.name), ("email", person.email)):
        if len(text) > LONGEST_TEXT or not text.isprintable():
            raise PersonUnusable(f"the {what} cannot be shown", where=what,
                                 hint=f"at most {LONGEST_TEXT} printable characters")
    if person.email and not EMAIL.fullmatch(person.email):
        raise PersonUnusable(f"{person.email!r} is no address of e-mail", where="email", hint="anna@example.com")
    refuse_unknown(person.roles, projects)


def refuse_unknown(wanted: Iterable[str], projects: Collection[ProjectId]) -> None:
    """
    Args:
        projects: Those of this host.

    Raises:
        PersonUnusable: Another one is named.
    """
    for project in wanted:
        if project != EVERY and ProjectId(project) not in projects:
            known = ", ".join(sorted(projects)) or "none yet"
            raise PersonUnusable(f"there is no project {project[:LONGEST_TEXT]}", where="projects",
                                 hint=f"projects of this host: {known}")


def usable_label(text: str) -> str:
    """Of a token or a key.

    Raises:
        PersonUnusable: It is empty, too long, or cannot be shown.
    """
    text = text.strip()
    if not text or len(text) > LONGEST_TEXT or not text.isprintable():
        raise PersonUnusable("the label cannot be taken", where="label",
                             hint=f"1 to {LONGEST_TEXT} printable characters, such as laptop")
    return text
