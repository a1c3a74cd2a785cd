r"""Words of nginx's configuration: what a project file says gets into such a file by these functions and no other way.

nginx reads a word in double quotes (ngx_conf_read_token) up to the next quote that has no backslash in front, and makes
`\\`, `\"`, `\'`, `\t`, `\r` and `\n` one character each. Every other backslash stays, so doubling all of them is exact:
the word means just these characters, whatever they are.
"""

from __future__ import annotations

LONGEST_WORD = 4_000
"""Bytes, as it is written; nginx refuses what does not fit into its buffer of 4,096."""
DOLLAR = "${deployd_dollar}"
"""A variable that is a dollar sign: nginx has no other way to write one where it looks for variables."""


def literal(text: str) -> str:
    """One word. Where its directive looks for variables, `$name` in it still is one."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def plain(text: str) -> str:
    """One word in which no variable is looked for; the file has to define `DOLLAR`."""
    return literal(text.replace("$", DOLLAR))


def is_too_long(word: str) -> bool:
    """Whether nginx could not read a word that one of the functions above made."""
    return len(word.encode()) > LONGEST_WORD
