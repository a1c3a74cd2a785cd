"""Regular expressions of rules, redirects and cookies: written for PCRE, checked here without ever being run. Pure.

They are compiled by Python after a small translation, which finds syntax errors and their position. Nested repeats such
as `(a+)+` are refused, because the web server would spend minutes on one request with them.
"""

from __future__ import annotations

import re
from typing import Any

from deployd.project.model import Place
from deployd.project.pcre import original_position, translate
from deployd.project.shape import Field
from deployd.project.spelling import shown

LONGEST_PATTERN = 4000  # characters; nginx reads lines of 4 KB


def check_pattern(field: Field, pattern: str, *, of_key: bool) -> bool:
    """Whether the pattern can be used; a finding when not.

    Args:
        of_key: The pattern is the key itself, as in `rules`, and the caret may point into it.
    """
    node: Any = field.name if of_key and field.name else field.node
    say = field.wrong_name if of_key else field.wrong
    if len(pattern) > LONGEST_PATTERN:
        say(
            "pattern-too-long",
            f"the regular expression has {len(pattern):,} characters, at most {LONGEST_PATTERN:,} are allowed",
            "make it shorter, or several",
        )
        return False
    if any(ord(letter) < 32 for letter in pattern):
        say("bad-pattern", f"`{shown(pattern)}` holds a control character", "write `\\n` or `\\t` if one is meant")
        return False
    problem = pattern_problem(pattern)
    if problem is None:
        return True
    what, position, mend = problem
    if position is not None and node.length == len(pattern):  # written without escapes, so the caret can point into it
        place = Place(node.file, node.line, node.column + position)
        field.findings.error("bad-pattern", place, what, mend, key=field.key)
    else:
        say("bad-pattern", what, mend)
    return False


def pattern_problem(pattern: str) -> tuple[str, int | None, str] | None:
    """What is wrong with a PCRE, at which character, and how to mend it; None when nothing is."""
    translated, moved = translate(pattern)
    try:
        parsed = re._parser.parse(translated)  # type: ignore[attr-defined]
        re.compile(translated)
        explodes = _explodes(parsed)
    except re.error as error:
        position = min(original_position(error.pos, moved), len(pattern)) if error.pos is not None else None
        return (
            f"`{shown(pattern)}` is not a regular expression: {_in_words(error.msg)}",
            position,
            _mend(pattern, error.msg),
        )
    except (RecursionError, OverflowError):
        return f"the regular expression `{shown(pattern)}` is nested too deep", None, "make it simpler"
    if explodes:
        return (
            f"the regular expression `{shown(pattern)}` repeats a repeat, "
            "and one request could keep the server busy for minutes",
            None,
            "write one repeat: `(a+)+` finds nothing that `a+` does not",
        )
    return None


_WORDS = (
    # what Python says          what is wrong                           how to mend it
    ("unterminated subpattern", "a `(` is never closed", "close it with `)`, or write `\\(` for the character itself"),
    ("unbalanced parenthesis", "a `)` closes nothing", "remove it, or write `\\)` for the character itself"),
    (
        "unterminated character set",
        "a `[` is never closed",
        "close it with `]`, or write `\\[` for the character itself",
    ),
    ("nothing to repeat", "there is nothing to repeat", "`*`, `+` and `?` repeat what stands in front of them"),
    ("multiple repeat", "a repeat is repeated", "remove one of the two, or write `\\*` for the character itself"),
    ("end of pattern", "a backslash at the end", "write `\\\\` for the character itself"),
    ("bad escape", "an unknown escape", "a backslash stands before characters that are not letters"),
    ("bad character range", "a range of characters runs backwards", "write it from the smaller to the larger: `[a-z]`"),
    ("invalid group reference", "a group that does not exist", "count the `(` from 1"),
    ("unknown extension", "a construct that is not known here", "write it with plain groups"),
    ("look-behind", "a look-behind of variable length", "give it a fixed length"),
)


def _in_words(message: str) -> str:
    return next((what for says, what, _ in _WORDS if says in message), message)


def _mend(pattern: str, message: str) -> str:
    if pattern.startswith("*."):
        return f"it looks like a pattern for file names: write `\\.{shown(pattern[2:])}$`"
    otherwise = "escape characters that are meant as themselves with a backslash"
    return next((mend for says, _, mend in _WORDS if says in message), otherwise)


_MANY = 20  # a repeat that may run this often counts as endless


def _explodes(parsed: Any) -> bool:
    """Whether a repeat holds nothing but another repeat, so that one text matches in endless ways."""
    for operation, argument in parsed:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _least, most, body = argument
            if int(most) >= _MANY and _is_only_repeats(body):
                return True
        if any(_explodes(part) for part in _parts(name, argument)):
            return True
    return False


def _parts(name: str, argument: Any) -> list[Any]:
    match name:
        case "MAX_REPEAT" | "MIN_REPEAT":
            return [argument[2]]
        case "SUBPATTERN":
            return [argument[-1]]
        case "BRANCH":
            return list(argument[1])
        case "ASSERT" | "ASSERT_NOT":
            return [argument[1]]
        case _:
            return []


def _is_only_repeats(body: Any) -> bool:
    """Whether one pass of the body can be a lone endless repeat."""
    repeats = 0
    for operation, argument in body:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = argument
            if int(most) >= _MANY or _is_only_repeats(inner):
                repeats += 1
            elif int(least) > 0:
                return False
        elif name == "SUBPATTERN":
            if not _is_only_repeats(argument[-1]):
                return False
            repeats += 1
        elif name == "BRANCH":
            if not any(_is_only_repeats(branch) for branch in argument[1]):
                return False
            repeats += 1
        elif name not in ("AT", "ASSERT", "ASSERT_NOT"):
            return False
    return repeats > 0
