"""Selectors of topics: `*`, a topic as it is, or a template (RFC 6570). Pure.

Matched without going back, as both come from strangers: for each token the set of places is carried along where it may
end, so the time is at most the product of both lengths.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 2048
EXPRESSION = re.compile(r"\{([^{}]*)\}")
RESERVED = frozenset(":/?#[]@!$&'()*+,;=")
OPERATORS = {"+": "", "#": "#", ".": ".", "/": "/", ";": ";", "?": "?", "&": "&"}
"""{operator of an expression: what its expansion begins with}"""


class Anything:
    """What an expression may have been expanded to."""

    def __init__(self, begins: str, *, reserved: bool) -> None:
        self.begins = begins
        self.reserved = reserved

    def takes(self, letter: str) -> bool:
        return self.reserved or letter not in RESERVED or letter in ",="


Token = str | Anything


def is_covered(selectors: list[str], topics: list[str]) -> bool:
    """Whether one of the topics is meant by one of the selectors."""
    return any(matches(selector, topic) for selector in selectors for topic in topics)


def matches(selector: str, topic: str) -> bool:
    if selector == "*" or selector == topic:
        return True
    if "{" not in selector or len(selector) > LONGEST or len(topic) > LONGEST:
        return False
    places = {0}
    for token in _tokens(selector):
        places = _after(token, topic, places)
        if not places:
            return False
    return len(topic) in places


@lru_cache(maxsize=4096)
def _tokens(selector: str) -> tuple[Token, ...]:
    found: list[Token] = []
    at = 0
    for expression in EXPRESSION.finditer(selector):
        found += [selector[at:expression.start()], _anything(expression[1])]
        at = expression.end()
    return (*found, selector[at:])


def _anything(inner: str) -> Anything:
    operator = inner[:1]
    if operator in OPERATORS:
        return Anything(OPERATORS[operator], reserved=operator in "+#/?&;")
    return Anything("", reserved=False)


def _after(token: Token, topic: str, places: set[int]) -> set[int]:
    if isinstance(token, str):
        return {place + len(token) for place in places if topic.startswith(token, place)}
    found = set(places)   # an expression whose variables are not there is expanded to nothing
    reach = False
    begun = {place + len(token.begins) for place in places if topic.startswith(token.begins, place)}
    for place in range(len(topic) + 1):
        reach = place in begun or (reach and token.takes(topic[place - 1]))
        if reach:
            found.add(place)
    return found
