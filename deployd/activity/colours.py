"""The colours of what a program wrote, beside its plain text. Pure.

Only colours and their like are kept, by names out of a short list: whatever else a program commands a terminal to do is
taken out, as in `plain_text.py`, and what people see is text with marks, never the program's own commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deployd.activity.plain_text import CONTROL, SEQUENCE

COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
ATTRIBUTES = {1: "bold", 2: "faint", 3: "italic", 4: "underline"}
ENDS = {21: ("bold",), 22: ("bold", "faint"), 23: ("italic",), 24: ("underline",)}
STYLES = frozenset({*COLOURS, *(f"bright-{colour}" for colour in COLOURS), *ATTRIBUTES.values()})
"""Every word that a style can be made of."""
MOST_SPANS = 200
"""Of one line; a line of single coloured letters is text like any other."""
SGR = re.compile(r"\x1b\[([0-9;:]*)m")
CUBE, GREYS = 16, 232
"""Where the 6 x 6 x 6 colours and the greys begin in the palette of 256."""

Span = tuple[int, int, str]
"""(first character, characters, style), a style being words of `STYLES` with spaces between them"""


def coloured(line: str) -> tuple[str, tuple[Span, ...]]:
    """The plain text of a line, and where it has which style; pieces without one are left out."""
    pieces = _last_written(list(_pieces(line)))
    text, spans = "", list[Span]()
    for piece, style in pieces:
        clean = CONTROL.sub("", piece)
        if clean and style:
            if spans and spans[-1][2] == style and sum(spans[-1][:2]) == len(text):
                spans[-1] = (spans[-1][0], spans[-1][1] + len(clean), style)
            else:
                spans.append((len(text), len(clean), style))
        text += clean
    return text, tuple(spans) if len(spans) <= MOST_SPANS else ()


def _pieces(line: str) -> Iterator[tuple[str, str]]:
    """(text, its style)"""
    style = _Style()
    end = 0
    for found in SEQUENCE.finditer(line):
        yield line[end:found.start()], str(style)
        end = found.end()
        if sgr := SGR.fullmatch(found.group()):
            style.obey(sgr.group(1))
    yield line[end:], str(style)


def _last_written(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What follows the last return to the line's beginning, but for those at its end."""
    while pieces and not (last := pieces[-1][0].rstrip("\r")):
        pieces.pop()
    if pieces:
        pieces[-1] = (last, pieces[-1][1])
    for number in range(len(pieces) - 1, -1, -1):
        text, style = pieces[number]
        if "\r" in text:
            return [(text.rpartition("\r")[2], style), *pieces[number + 1:]]
    return pieces


class _Style:
    def __init__(self) -> None:
        self._colour = ""
        self._attributes: set[str] = set()

    def __str__(self) -> str:
        return " ".join([*([self._colour] if self._colour else []), *sorted(self._attributes)])

    def obey(self, parameters: str) -> None:
        """`1;31`, `38;5;208`, `0`, …; ECMA-48, 8.3.117."""
        codes = [int(code) if code.isdigit() and len(code) < 4 else 0 for code in re.split("[;:]", parameters)]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self._colour, self._attributes = "", set()
            elif code in ATTRIBUTES:
                self._attributes.add(ATTRIBUTES[code])
            elif code in ENDS:
                self._attributes -= set(ENDS[code])
            elif 30 <= code <= 37:
                self._colour = COLOURS[code - 30]
            elif 90 <= code <= 97:
                self._colour = f"bright-{COLOURS[code - 90]}"
            elif code == 39:
                self._colour = ""
            elif code in (38, 48):   # a colour of a larger palette; that of the background is left out
                colour = _of_palette(codes)
                self._colour = colour if code == 38 else self._colour


def _of_palette(codes: list[int]) -> str:
    """The nearest of the sixteen; takes its parameters away."""
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:
        number = codes.pop(0)
        if number < 8:
            return COLOURS[number]
        if number < CUBE:
            return f"bright-{COLOURS[number - 8]}"
        if number >= GREYS:
            return _nearest(*[8 + 10 * (min(number, 255) - GREYS)] * 3)
        number -= CUBE
        return _nearest(*(51 * level for level in (number // 36, number // 6 % 6, number % 6)))
    if kind == 2 and len(codes) >= 3:
        red, green, blue = codes[:3]
        del codes[:3]
        return _nearest(red, green, blue)
    codes.clear()
    return ""


def _nearest(red: int, green: int, blue: int) -> str:
    brightest = max(red, green, blue)
    if brightest < 64:
        return "bright-black"
    number = sum(bit for bit, level in ((1, red), (2, green), (4, blue)) if level > brightest * 0.6)
    return COLOURS[number] if brightest < 192 else f"bright-{COLOURS[number]}"
