"""Whether a regular expression has a loop through which one text leads in two ways. Pure.

`(a|aa)*` is one: a text of `n` letters has exponentially many ways through it, and a matcher that goes back (PCRE)
tries them all before it says no. The pattern becomes an automaton with a state for each character that it names
(Glushkov), whose edges are counted. A loop is ambiguous when one of its edges is there twice, or when two different
states can be reached together by the same text and come together again (the product of the automaton with itself:
Weideman et al., "Analyzing Matching Time Behavior of Backtracking Regular Expression Matchers", 2016).

Polynomial cost (`.*.*x`) is not looked for: honest rules have it, and the matchers have limits of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

ENDLESS = 20
"""A repeat that may run this often counts as endless; a loop of one less has few enough ways."""
MOST_COPIES = 64
"""States into which a bounded repeat is written out; a larger one counts as endless."""
MOST_STATES = 4_500
"""More than the longest pattern has characters."""
MOST_STEPS = 20_000
"""Edges and pairs that are looked at for one pattern: some ten milliseconds."""
BYTES = 256
EVERYTHING, ASCII = (1 << BYTES) - 1, (1 << BYTES // 2) - 1
_SPACES, _DIGITS = b" \t\n\r\f\v", b"0123456789"
_WORDS = b"_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class TooIntricate(Exception):
    """The pattern cannot be looked through within the bounds above."""


def is_ambiguous(parsed: Any, *, ignore_case: bool) -> bool:
    """
    Args:
        parsed: The tree of Python's own parser of patterns.

    Raises:
        TooIntricate: Nobody can say within the bounds.
    """
    automaton = _Automaton(ignore_case)
    automaton.part(parsed, 1)
    while automaton.apart:   # what a lookaround holds is matched on its own
        automaton.part(automaton.apart.pop(), 1)
    return any(automaton.is_ambiguous(loop) for loop in automaton.loops())


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of the automaton: whether it can be empty, and the states with which it begins and ends."""

    empty: bool
    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()


NOTHING = _Part(True)


@dataclass
class _Automaton:
    ignore_case: bool
    sets: list[int] = field(default_factory=list)
    """[characters of a state, as bits]"""
    after: list[Counter[int]] = field(default_factory=list)
    """[{state that may follow: in how many ways}]"""
    apart: list[Any] = field(default_factory=list)
    steps: int = 0

    def part(self, parsed: Iterable[Any], times: int) -> _Part:
        """
        Args:
            times: How often the repeats around it may run it.
        """
        found = NOTHING
        for operation, argument in parsed:
            found = self._joined(found, self._one(str(operation), argument, times))
        return found

    def _one(self, name: str, argument: Any, times: int) -> _Part:
        match name:
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, body = argument
                return self._repeat(int(least), int(most), body, times)
            case "SUBPATTERN" | "ATOMIC_GROUP":
                return self.part(argument[-1] if name == "SUBPATTERN" else argument, times)
            case "BRANCH":
                return self._either(self.part(branch, times) for branch in argument[1])
            case "GROUPREF_EXISTS":
                _, yes, no = argument
                return self._either(self.part(branch or (), times) for branch in (yes, no))
            case "ASSERT" | "ASSERT_NOT":
                self.apart.append(argument[1])
                return NOTHING
            case "AT":
                return NOTHING
            case _:
                return self._state(_characters(name, argument, self.ignore_case))

    def _state(self, characters: int) -> _Part:
        if len(self.sets) >= MOST_STATES:
            raise TooIntricate
        self.sets.append(characters)
        self.after.append(Counter())
        state = (len(self.sets) - 1,)
        return _Part(False, state, state)

    def _joined(self, one: _Part, other: _Part) -> _Part:
        self._follow(one.last, other.first)
        return _Part(
            one.empty and other.empty,
            one.first + other.first if one.empty else one.first,
            other.last + one.last if other.empty else other.last,
        )

    @staticmethod
    def _either(parts: Iterable[_Part]) -> _Part:
        found = list(parts)
        return _Part(
            any(part.empty for part in found),
            tuple(state for part in found for state in part.first),
            tuple(state for part in found for state in part.last),
        )

    def _repeat(self, least: int, most: int, body: Any, times: int) -> _Part:
        if most == 0:
            return NOTHING
        together = min(most, ENDLESS) * times
        before = len(self.sets)
        found = self.part(body, together)
        if most == 1:
            return _Part(found.empty or least == 0, found.first, found.last)
        few = least == most < ENDLESS and (len(self.sets) - before) * most <= MOST_COPIES
        if together < ENDLESS or few:
            copies = [found, *(self.part(body, together) for _ in range(most - 1))]
            return self._written_out(copies, least)
        self._follow(found.last, found.first)
        return _Part(found.empty or least == 0, found.first, found.last)

    def _written_out(self, copies: list[_Part], least: int) -> _Part:
        """`a{2,4}` is `aa(a(a)?)?`."""
        found = NOTHING
        for number in range(len(copies), 0, -1):
            found = self._joined(copies[number - 1], found)
            if number > least:
                found = _Part(True, found.first, found.last)
        return found

    def _follow(self, one: tuple[int, ...], other: tuple[int, ...]) -> None:
        self.steps += len(one) * len(other)
        if self.steps > MOST_STEPS:
            raise TooIntricate
        for state in one:
            self.after[state].update(other)

    def loops(self) -> Iterator[set[int]]:
        """The states of each loop: strongly connected, and with an edge inside (Tarjan, without recursion)."""
        number, low = dict[int, int](), dict[int, int]()
        waiting: list[int] = []
        there: set[int] = set()
        for root in range(len(self.sets)):
            if root in number:
                continue
            way = [(root, iter(self.after[root]))]
            number[root] = low[root] = len(number)
            waiting.append(root)
            there.add(root)
            while way:
                state, following = way[-1]
                nearer = next(following, None)
                if nearer is None:
                    way.pop()
                    if way:
                        low[way[-1][0]] = min(low[way[-1][0]], low[state])
                    if low[state] == number[state]:
                        loop: set[int] = set()
                        while state not in loop:
                            loop.add(waiting.pop())
                        there -= loop
                        if len(loop) > 1 or state in self.after[state]:
                            yield loop
                elif nearer not in number:
                    number[nearer] = low[nearer] = len(number)
                    waiting.append(nearer)
                    there.add(nearer)
                    way.append((nearer, iter(self.after[nearer])))
                elif nearer in there:
                    low[state] = min(low[state], number[nearer])

    def is_ambiguous(self, loop: set[int]) -> bool:
        """Whether a text leads from a state of the loop to itself in two ways."""
        inside = {state: [next_ for next_ in self.after[state] if next_ in loop] for state in loop}
        if any(self.after[state][next_] > 1 for state in loop for next_ in inside[state]):
            return True
        reached: set[tuple[int, int]] = set()
        ahead = [(state, state) for state in loop]
        while ahead:
            one, other = ahead.pop()
            for following in self._pairs_after(one, other, inside):
                if following[0] == following[1]:
                    if one != other:   # apart and together again; from there every state of the loop can be reached
                        return True
                elif following not in reached:
                    reached.add(following)
                    ahead.append(following)
        return False

    def _pairs_after(self, one: int, other: int, inside: dict[int, list[int]]) -> Iterator[tuple[int, int]]:
        for one_next in inside[one]:
            for other_next in inside[other]:
                self.steps += 1
                if self.steps > MOST_STEPS:
                    raise TooIntricate
                if self.sets[one_next] & self.sets[other_next]:
                    yield min(one_next, other_next), max(one_next, other_next)


def _characters(name: str, argument: Any, ignore_case: bool) -> int:
    """The characters that one item can be, as bits; more than it can be when that is not known exactly."""
    match name:
        case "LITERAL":
            found = _bit(int(argument))
        case "NOT_LITERAL":
            return EVERYTHING & ~(_bit(int(argument)) & ASCII)
        case "IN":
            items = [(str(operation), value) for operation, value in argument]
            found = 0
            for operation, value in items:
                found |= _item(operation, value)
            if items and items[0][0] == "NEGATE":
                return EVERYTHING & ~(found & ASCII)
        case _:
            return EVERYTHING   # a dot, or what a group had found
    return _other_cases(found) if ignore_case else found


def _item(name: str, argument: Any) -> int:
    match name:
        case "LITERAL":
            return _bit(int(argument))
        case "RANGE":
            low, high = argument
            return _bits(range(low, min(high, low + BYTES - 1) + 1))
        case "CATEGORY":
            return _category(str(argument))
        case _:
            return 0


def _category(name: str) -> int:
    found = _bits(_DIGITS if "DIGIT" in name else _SPACES if "SPACE" in name else _WORDS)
    return EVERYTHING & ~found if "_NOT_" in name else found


def _bits(codes: Iterable[int]) -> int:
    found = 0
    for code in codes:
        found |= _bit(code)
    return found


def _bit(code: int) -> int:
    """nginx matches bytes. Characters beyond ASCII share the upper half, so that two of them may be taken for one."""
    return 1 << (code if code < BYTES // 2 else BYTES // 2 + code % (BYTES // 2))


def _other_cases(characters: int) -> int:
    upper = ((1 << 26) - 1) << ord("A")
    lower = upper << 32
    return characters | (characters & upper) << 32 | (characters & lower) >> 32
