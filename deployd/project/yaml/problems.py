"""Syntax errors of the YAML parser in words that help. Pure."""

from __future__ import annotations

import yaml

from deployd.project.model.place import Place

_WORDS = (
    # what the parser says                     what is wrong                                      how to mend it
    ("cannot start any token", "this character cannot begin a value", "put the value in quotes"),
    (
        "mapping values are not allowed",
        "`: ` begins a value here, where a value has begun already",
        "put a text that holds `: ` in quotes, or indent the line like its neighbours; the line above may lack a `:`",
    ),
    ("could not find expected ':'", "a key without `:` behind it", "write `key: value`, with a space after the colon"),
    (
        "did not find expected key",
        "the line does not fit into the block around it",
        "indent it by spaces exactly like its neighbours",
    ),
    (
        "did not find expected '-' indicator",
        "the line does not fit into the list around it",
        "begin the item with `- `, indented like the others",
    ),
    (
        "did not find expected <document start>",
        "the line does not belong to what stands above it",
        "indent it like its neighbours",
    ),
    (
        "expected <block end>",
        "the line does not fit into the block around it",
        "indent it by spaces exactly like its neighbours",
    ),
    ("found unexpected end of stream", "a quote is opened and never closed", "close the quote"),
    (
        "did not find expected ',' or ']'",
        "a `[` is opened and not closed",
        "close the list with `]`, items parted by commas",
    ),
    (
        "did not find expected ',' or '}'",
        "a `{` is opened and not closed",
        "close the mapping with `}`, entries parted by commas",
    ),
    ("expected ',' or ']'", "a `[` is opened and not closed", "close the list with `]`, items parted by commas"),
    ("expected ',' or '}'", "a `{` is opened and not closed", "close the mapping with `}`, entries parted by commas"),
    (
        "unknown escape character",
        "an unknown escape in a text in double quotes",
        "use single quotes: 'there a backslash is only a backslash'",
    ),
    ("undefined tag handle", "a tag with an unknown prefix", "use `!include` or `!archive`, or remove the tag"),
    (
        "found undefined alias",
        "there is no anchor of this name above this line",
        "define it first, or put quotes around `*`",
    ),
    (
        "alphabetic or numeric character",
        "a `*` or `&` without a name behind it",
        "put the value in quotes: `*` begins an alias and `&` an anchor",
    ),
    ("found duplicate anchor", "an anchor of this name exists already", "choose another name"),
    (
        "block sequence entries are not allowed",
        "a list item `- ` stands where no list can be",
        "put the list under its key, indented",
    ),
    ("exceeded max", "this is nested too deep", "make it flatter"),
)


def code_of(error: yaml.YAMLError) -> str:
    """libyaml 0.2.6 has a bound of its own, and meets it before we have counted: it reads ahead."""
    return "too-deep" if "exceeded max" in str(getattr(error, "problem", None)) else "yaml-syntax"


def explain_problem(error: yaml.YAMLError, file: str, lines: list[str]) -> tuple[Place, str, str]:
    """Where, what is wrong, how to mend it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or error)
    begun = getattr(error, "context_mark", None)
    if begun is not None and ("unexpected end of stream" in problem or "',' or" in problem):
        mark = begun  # where the quote or bracket was opened says more than where the file ends
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if mark and "\t" in line[: mark.column + 1]:
        tab = line.index("\t")
        return (
            Place(file, mark.line + 1, tab + 1),
            "a tab stands where only spaces may indent",
            "replace the tab by spaces",
        )
    if mark and "cannot start any token" in problem and line[mark.column : mark.column + 1] in "@`%{}":
        character = line[mark.column : mark.column + 1]
        named = "a backtick" if character == "`" else f"`{character}`"
        return place, f"a value cannot begin with {named}", "put the value in quotes"
    for says, what, hint in _WORDS:
        if says in problem:
            return place, what, hint
    return place, f"this is not YAML: {problem}", "compare the line with its neighbours"
