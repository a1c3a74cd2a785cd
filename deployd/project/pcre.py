"""Regular expressions as PCRE has them, in Python's spelling: for checking them only, never for running them. Pure.

What changes nothing in whether a pattern is right is left out or made simple: `(?i)` in the middle, `\\K`, `\\p{L}`.
"""

from __future__ import annotations

import re

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
    r"\h": r"\s",
    r"\H": r"\S",
    r"\v": r"\s",
    r"\V": r"\S",
    r"\R": r"\s",
    r"\K": "",
    r"\G": "",
    r"\z": r"\Z",
    r"\N": ".",
    r"\X": ".",
    r"\e": "x",
}
_ESCAPE = r"\\[pP]\{\^?\w+\}|\\[pP]\w|\\x\{[0-9A-Fa-f]{1,6}\}|\\."
_TOKEN = re.compile(
    rf"(?P<class>\[\^?\]?(?:{_ESCAPE}|\[:\^?\w+:\]|[^\]\\])*(?:\]|\\?\Z))|(?P<escape>{_ESCAPE})"
    r"|(?P<flags>\(\?[imsxnJUX-]+\))|\(\?<(?![=!])|\(\?'(?P<name>\w+)'|\(\?\|",
    re.DOTALL | re.ASCII,
)
_IN_CLASS = re.compile(
    rf"(?P<posix>\[:\^?(?P<word>\w+):\])|(?P<escape>{_ESCAPE})|\[|--|&&|~~|\|\|", re.DOTALL | re.ASCII
)

Moved = list[tuple[int, int]]
"""Where the result is longer: [(position in the result, how many characters more)]"""


def translate(pattern: str) -> tuple[str, Moved]:
    """The pattern for Python's compiler, and how positions in it relate to the original."""
    pieces: list[str] = []
    moved: Moved = []
    last = length = 0
    for found in _TOKEN.finditer(pattern):
        new = _token(found)
        between = pattern[last : found.start()]
        pieces += [between, new]
        length += len(between) + len(new)
        if len(new) != len(found.group()):
            moved.append((length, len(new) - len(found.group())))
        last = found.end()
    return "".join((*pieces, pattern[last:])), moved


def original_position(position: int, moved: Moved) -> int:
    """Where in the original a position of the translation is."""
    return max(0, position - sum(added for at, added in moved if at <= position))


def _token(found: re.Match[str]) -> str:
    text = found.group()
    if found["class"]:
        return text[0] + _IN_CLASS.sub(_in_class, text[1:])
    if found["escape"]:
        return _escape(text)
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
        return _escape(text)
    return "".join(f"\\{letter}" for letter in text)


def _escape(text: str) -> str:
    if text.startswith((r"\p", r"\P")):
        return r"\w"
    if text.startswith(r"\x{"):
        return "x"
    return _ESCAPES.get(text, text)
