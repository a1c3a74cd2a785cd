"""Regular expressions as PCRE has them, in Python's spelling: for checking them only, never for running them. Pure.

What changes nothing in whether a pattern is right is left out or made simple: `(?i)` in the middle, `\\K`, `\\p{L}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

LAST_CHARACTER = 0x10FFFF
_POSIX = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "xdigit": "0-9A-Fa-f",
    "word": r"\w",
    "punct": r"!-/:-@\\-`{-~",
    "blank": r" \t",
}
_ESCAPES = {
    r"\h": r"[ \t]",
    r"\H": r"[^ \t]",
    r"\v": r"[\n-\r]",
    r"\V": r"[^\n-\r]",
    r"\R": r"[\n-\r]",
    r"\K": "",
    r"\G": "",
    r"\z": r"\Z",
    r"\N": ".",
    r"\X": ".",
    r"\e": r"\x1b",
}
_ESCAPES_IN_CLASS = {
    r"\h": r" \t",
    r"\H": r"\s\S",
    r"\v": r"\n-\r",
    r"\V": r"\s\S",
    r"\R": "R",
    r"\e": r"\x1b",
}
_ESCAPE = r"\\[pP]\{\^?\w+\}|\\[pP]\w|\\x\{[0-9A-Fa-f]{1,6}\}|\\."
_TOKEN = re.compile(
    rf"(?P<class>\[\^?\]?(?:{_ESCAPE}|\[:\^?\w+:\]|[^\]\\])*(?:\]|\\?\Z))|(?P<escape>{_ESCAPE})"
    r"|(?P<flags>\(\?[imsxnJUX-]+\))|\(\?<(?![=!])|\(\?'(?P<name>\w+)'|\(\?\||(?P<or>\|)",
    re.DOTALL | re.ASCII,
)
_IN_CLASS = re.compile(
    rf"(?P<posix>\[:\^?(?P<word>\w+):\])|(?P<escape>{_ESCAPE})|\[|--|&&|~~|\|\|", re.DOTALL | re.ASCII
)

Moved = list[tuple[int, int]]
"""Where the result is longer: [(position in the result, how many characters more)]"""


def translate(pattern: str, *, keep_branches: bool = False) -> tuple[str, Moved]:
    """The pattern for Python's compiler, and how positions in it relate to the original.

    Args:
        keep_branches: Let the compiler not make `[ab]` of `(a|b)`, as PCRE does not.
    """
    pieces: list[str] = []
    moved: Moved = []
    last = length = 0
    for found in _TOKEN.finditer(pattern):
        new = "|(?=)" if found["or"] and keep_branches else _token(found)
        between = pattern[last : found.start()]
        pieces += [between, new]
        length += len(between) + len(new)
        if len(new) != len(found.group()):
            moved.append((length, len(new) - len(found.group())))
        last = found.end()
    return "".join((*pieces, pattern[last:])), moved


def has_flag(pattern: str, flag: Literal["i", "x"]) -> bool:
    """Whether a flag stands in it, wherever that is: `i`, letters of both cases are one; `x`, blanks are nothing."""
    return re.search(rf"\(\?\^?[a-zA-Z]*{flag}", pattern) is not None


def original_position(position: int, moved: Moved) -> int:
    """Where in the original a position of the translation is."""
    return max(0, position - sum(added for at, added in moved if at <= position))


def _token(found: re.Match[str]) -> str:
    text = found.group()
    if found["class"]:
        return text[0] + _IN_CLASS.sub(_in_class, text[1:])
    if found["escape"]:
        return _escape(text, _ESCAPES)
    if found["or"]:
        return text
    if found["flags"]:
        return ""
    if found["name"]:
        return f"(?P<{found['name']}>"
    return "(?:" if text == "(?|" else "(?P<"


def _in_class(found: re.Match[str]) -> str:
    """What Python would take for the beginning of something, inside of `[…]`."""
    text = found.group()
    if found["posix"]:
        return _POSIX.get(found["word"], text.replace("[", "\\["))
    if found["escape"]:
        return _escape(text, _ESCAPES_IN_CLASS)
    return "".join(f"\\{letter}" for letter in text)


def _escape(text: str, known: Mapping[str, str]) -> str:
    if text.startswith((r"\p", r"\P")):
        return r"\w" if text[1] == "p" else r"\W"
    if text.startswith(r"\x{"):
        return f"\\U{min(int(text[3:-1], 16), LAST_CHARACTER):08x}"
    return known.get(text, text)
