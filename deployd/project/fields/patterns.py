"""Regular expressions of rules, redirects and cookies: written for PCRE, checked here without ever being run. Pure.

They are compiled by Python after a small translation, which finds syntax errors and their position. Nested repeats such
as `(a+)+`, and loops that one text can go through in two ways, such as `(a|aa)*`, are refused: the web server would
spend minutes on one request with them.
"""

from __future__ import annotations

import re
from typing import Any

from deployd.project.fields.ambiguity import ENDLESS, TooIntricate, is_ambiguous
from deployd.project.fields.fields import Field
from deployd.project.fields.nginx_literal import LONGEST_WORD, literal
from deployd.project.fields.pcre import has_flag, original_position, translate
from deployd.project.findings.spelling import shown
from deployd.project.model.place import Place

LONGEST_PATTERN = LONGEST_WORD
MOST_REPEATS = 65_535  # a number in braces: pcre2pattern(3)
LARGEST = 60_000  # bytes of a compiled pattern, about; PCRE has 64 KB


def check_pattern(field: Field, pattern: str, *, of_key: bool) -> bool:
    """Whether the pattern can be used; a finding when not.

    Args:
        of_key: The pattern is the key itself, as in `rules`, and the caret may point into it.
    """
    node: Any = field.name if of_key and field.name else field.node
    say = field.wrong_name if of_key else field.wrong
    length = len(literal(pattern).encode())
    if length > LONGEST_PATTERN:
        say(
            "pattern-too-long",
            f"the regular expression has {length:,} bytes as nginx reads it, at most {LONGEST_PATTERN:,} are allowed",
            "make it shorter, or several",
        )
        return False
    if any(ord(letter) < 32 for letter in pattern):
        say("bad-pattern", f"`{shown(pattern)}` holds a control character", "write `\\n` or `\\t` if one is meant")
        return False
    problem = pattern_problem(pattern)
    if problem is None:
        return True
    what, position, hint = problem
    if position is not None and node.length == len(pattern):  # written without escapes, so the caret can point into it
        place = Place(node.file, node.line, node.column + position)
        field.findings.error("bad-pattern", place, what, hint, key=field.key)
    else:
        say("bad-pattern", what, hint)
    return False


def pattern_problem(pattern: str) -> tuple[str, int | None, str] | None:
    """What is wrong with a PCRE, at which character, and how to mend it; None when nothing is."""
    translated, moved = translate(pattern)
    try:
        parsed = re._parser.parse(translated)  # type: ignore[attr-defined]
        re.compile(translated)
        explodes = _explodes(parsed)
        ambiguous = not explodes and _is_ambiguous(pattern)
    except re.error as error:
        position = min(original_position(error.pos, moved), len(pattern)) if error.pos is not None else None
        return (
            f"`{shown(pattern)}` is not a regular expression: {_in_words(error.msg)}",
            position,
            _hint(pattern, error.msg),
        )
    except (RecursionError, OverflowError):
        return f"the regular expression `{shown(pattern)}` is nested too deep", None, "make it simpler"
    except TooIntricate:
        return (
            f"the regular expression `{shown(pattern)}` is too intricate to be sure that it ends soon",
            None,
            "take long lists out of what is repeated, or make several patterns",
        )
    if _size(parsed) > LARGEST:
        return f"the regular expression `{shown(pattern)}` is too large", None, "repeat less, or a smaller part of it"
    if explodes:
        return (
            f"the regular expression `{shown(pattern)}` repeats a repeat, "
            "and one request could keep the server busy for minutes",
            None,
            "write one repeat: `(a+)+` finds nothing that `a+` does not",
        )
    if ambiguous:
        return (
            f"the regular expression `{shown(pattern)}` repeats something in which one text can be found "
            "in several ways, and one request could keep the server busy for minutes",
            None,
            "let what is repeated begin with different characters: `(a|aa)*` finds nothing that `a*` does not",
        )
    return None


def _is_ambiguous(pattern: str) -> bool:
    """Looked at with its branches as they are written: Python makes `[aa]` of `(a|a)`, PCRE tries both.

    With the flag `x` both ways: it may be for a part only (`(?x:)#(a|aa)*`), and what one of them takes for a comment
    the other one runs.
    """
    translated, _ = translate(pattern, keep_branches=True)
    ways = (0, re.VERBOSE) if has_flag(pattern, "x") else (0,)
    return any(
        is_ambiguous(re._parser.parse(translated, way), ignore_case=has_flag(pattern, "i"))  # type: ignore[attr-defined]
        for way in ways
    )


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


def _hint(pattern: str, message: str) -> str:
    if pattern.startswith("*."):
        return f"it looks like a pattern for file names: write `\\.{shown(pattern[2:])}$`"
    otherwise = "escape characters that are meant as themselves with a backslash"
    return next((hint for says, _, hint in _WORDS if says in message), otherwise)


def _explodes(parsed: Any) -> bool:
    """Whether a repeat holds nothing but another repeat, so that one text matches in endless ways."""
    for operation, argument in parsed:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _least, most, body = argument
            if int(most) >= ENDLESS and _is_only_repeats(body):
                return True
        if any(_explodes(part) for part in _parts(name, argument)):
            return True
    return False


def pattern_size(pattern: str) -> int:
    """Bytes that a pattern takes in the router, about; 0 for one that cannot be used."""
    try:
        return _size(re._parser.parse(translate(pattern)[0]))  # type: ignore[attr-defined]
    except (re.error, RecursionError, OverflowError):
        return 0


def _size(parsed: Any) -> int:
    """Bytes that PCRE compiles it to, about: it writes the repeats of a group out."""
    found = 0
    for operation, argument in parsed:
        name = str(operation)
        inner = sum(_size(part) + 6 for part in _parts(name, argument))
        if name.endswith("_REPEAT"):
            least, most, body = int(argument[0]), int(argument[1]), argument[2]
            if max(least, most if argument[1] is not re._constants.MAXREPEAT else 0) > MOST_REPEATS:  # type: ignore[attr-defined]
                return LARGEST + 1
            times = most if most <= MOST_REPEATS else least + 1
            single = len(body) == 1 and not _parts(str(body[0][0]), body[0][1])
            inner = inner + 6 if single else inner * max(times, 1)
        found += inner or (36 if name == "IN" else 4)
    return found


def _parts(name: str, argument: Any) -> list[Any]:
    match name:
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return [argument[2]]
        case "ATOMIC_GROUP":
            return [argument]
        case "GROUPREF_EXISTS":
            return [branch for branch in argument[1:] if branch is not None]
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
            if int(most) >= ENDLESS or _is_only_repeats(inner):
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
