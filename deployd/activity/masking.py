"""Keeping secrets out of logs. Pure but for the secrets that it learns.

Every form of every secret (`secret_forms.py`) is cut into blocks of eight characters. One automaton looks for all
blocks at once, however many there are, and what stands around a block in the text is compared with what stands around
it in the form. So a secret is found that the end of a line or a program cut in two, and where it was cut need not be
known.
Surprise: there are several automata. One cannot be added to, so each is for some thousand secrets only, and only the
youngest is ever made anew.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate

from ahocorasick_rs import AhoCorasick

from deployd.activity.plain_text import plain_text
from deployd.activity.secret_forms import forms_of
from deployd.project.model import Json

MASK = "***"
BLOCK = 8
PIECE = 16
"""So much of a secret is masked wherever it stands."""
PIECE_AT_AN_END = 12
"""So much of it is masked where the beginning or the end of a line has cut it."""
CUT_MARK = " […]"
"""Ends a line that was too long."""
MOST_ALIKE = 8
"""Places further on in forms that one block stands for; more only when a secret repeats itself, and then any of them
will do. By its beginning each is found, whoever begins the same."""
COMPARED = 256
"""Characters of a text by which the form is found that has most of them; what follows is compared in the form."""
MOST_FORMS = 8_000
"""Of one automaton: it is made in 0.1 s at most, and most installations have one."""


class Masker:
    """Replaces every secret that it was told of."""

    def __init__(self, secrets: Iterable[Json] = ()) -> None:
        self._known: set[str] = set()
        self._batches: list[_Batch] = [_Batch()]
        self.learn(secrets)

    def learn(self, secrets: Iterable[Json]) -> None:
        """Mask these too from now on: texts, and values that applications get as JSON."""
        for secret in secrets:
            for form in forms_of(secret) - self._known:
                self._known.add(form)
                if self._batches[-1].is_full:
                    self._batches.append(_Batch())
                self._batches[-1].add(form)

    def clean(self, text: str) -> str:
        """What a program wrote, as it may be shown: plain text without secrets. Colours within a secret hide it not."""
        return self.mask(plain_text(text))

    def clean_all(self, texts: Sequence[str]) -> list[str]:
        """`clean` of each, for many at once: most have neither a command to a terminal nor a piece of a secret."""
        plain = [text if text.isprintable() else plain_text(text) for text in texts]
        for number in self._doubtful(plain):
            plain[number] = self.mask(plain[number])
        return plain

    def _doubtful(self, texts: list[str]) -> set[int]:
        """Which of these have a block of a secret: all texts are searched in one go, whose finds may lie over two."""
        if not self._known or not texts:
            return set()
        ends = list(accumulate(len(text) + 1 for text in texts))
        searched = _without_halves("\n".join(texts))
        found: set[int] = set()
        for batch in self._batches:
            for begin, end in batch.blocks_in(searched):
                found.update(range(bisect.bisect_right(ends, begin), bisect.bisect_right(ends, end - 1) + 1))
        return found

    def mask(self, text: str) -> str:
        """The text with every secret replaced, and every piece of one that is long enough to be worth something."""
        if len(text) < BLOCK // 2 or not self._known:
            return text
        searched = _without_halves(text)
        found = sorted(place for batch in self._batches for place in batch.find(searched))
        parts: list[str] = []
        kept = 0
        for begin, end in found:
            if end <= kept:
                continue
            if begin > kept or not parts:
                parts += [text[kept:begin], MASK]
            kept = end
        return "".join((*parts, text[kept:])) if parts else text


class _Batch:
    """Some forms, and the automaton that finds their blocks."""

    def __init__(self) -> None:
        self._places: dict[str, list[tuple[str, int]]] = {}
        """{block: forms that have it further on, and where}"""
        self._beginnings: dict[str, _Beginnings] = {}
        """{block: forms that begin with it}"""
        self._forms = 0
        self._blocks: list[str] = []
        self._automaton: AhoCorasick | None = None

    @property
    def is_full(self) -> bool:
        return self._forms >= MOST_FORMS

    def add(self, form: str) -> None:
        self._forms += 1
        self._automaton = None
        self._beginnings.setdefault(form[:BLOCK], _Beginnings()).add(form)
        if len(form) < PIECE:   # it is masked as a whole only, and found by its beginning
            return
        last = len(form) - BLOCK
        for start in (*range(BLOCK, last, BLOCK), last):
            alike = self._places.setdefault(form[start:start + BLOCK], [])
            if len(alike) < MOST_ALIKE:
                alike.append((form, start))

    def blocks_in(self, text: str) -> list[tuple[int, int]]:
        """(begin, end) of blocks; of those that lie over each other one at least."""
        if not self._beginnings:
            return []
        return [(begin, end) for _, begin, end in self._searcher().find_matches_as_indexes(text)]

    def _searcher(self) -> AhoCorasick:
        if self._automaton is None:
            self._blocks = list(self._places.keys() | self._beginnings.keys())
            self._automaton = AhoCorasick(self._blocks)
        return self._automaton

    def find(self, text: str) -> list[tuple[int, int]]:
        """(begin, end) of what is to be masked."""
        if not self._beginnings:
            return []
        automaton = self._searcher()
        end_of_text = len(text) - (len(CUT_MARK) if text.endswith(CUT_MARK) else 0)
        found: list[tuple[int, int]] = []
        covered: dict[str, int] = {}
        """{form: up to where it was compared already}; else a text that repeats a block would be read for each again"""
        for number, at, _ in automaton.find_matches_as_indexes(text, overlapping=True):
            block = self._blocks[number]
            for form, start in (*self._beginning(block, text, at), *self._places.get(block, ())):
                if at < covered.get(form, 0):
                    continue
                begin, end = _around(text, at, form, start, end_of_text)
                is_cut = (begin == 0 or begin == at - start) and (end >= end_of_text or end == at - start + len(form))
                if _is_worth_masking(end - begin, len(form), is_cut=is_cut):
                    found.append((begin, end))
                    covered[form] = end
        return found


    def _beginning(self, block: str, text: str, at: int) -> list[tuple[str, int]]:
        begin = self._beginnings.get(block)
        return [(form, 0) for form in begin.like(text, at)] if begin is not None else []


class _Beginnings:
    """Forms that begin with the same block, however many: addresses of one host, keys of one maker."""

    def __init__(self) -> None:
        self._short: set[str] = set()
        """Of which nothing but the whole counts."""
        self._long: list[str] = []
        """In their order: those that have most in common with a text stand beside its place."""

    def add(self, form: str) -> None:
        if len(form) < PIECE:
            self._short.add(form)
        else:
            bisect.insort(self._long, form)

    def like(self, text: str, at: int) -> list[str]:
        """Of those that a text has at a place: all short ones, and of the long ones those with most of it."""
        found = [part for size in range(1, PIECE) if (part := text[at:at + size]) in self._short] if self._short else []
        place = bisect.bisect(self._long, text[at:at + COMPARED])
        return [*found, *self._long[max(0, place - 1):place + 1]]


def _around(text: str, at: int, form: str, start: int, end_of_text: int) -> tuple[int, int]:
    """How far text and form are the same around a block that is at `at` in the one and at `start` in the other."""
    shift = at - start
    if text.startswith(form, max(shift, 0)) and shift >= 0:
        return shift, shift + len(form)
    begin, end = at, at + min(BLOCK, len(form))
    while begin > max(shift, 0) and text[begin - 1] == form[begin - 1 - shift]:
        begin -= 1
    furthest = min(shift + len(form), end_of_text)
    while end < furthest and text[end] == form[end - shift]:
        end += 1
    return begin, end


def _is_worth_masking(size: int, whole: int, *, is_cut: bool) -> bool:
    """
    Args:
        is_cut: Where text and form are no longer the same, one of them ends.
    """
    return size == whole or size >= (PIECE_AT_AN_END if is_cut and whole >= PIECE else PIECE)


def _without_halves(text: str) -> str:
    """The text as the automaton takes it: a character that is half of one, which no encoding has, becomes a mark."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
