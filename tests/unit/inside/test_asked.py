"""Whatever `deployd-ssh` says of a stranger becomes something that can be looked for, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deployd.access.directory import Directory
from deployd.access.errors import Unauthorized
from deployd.engine.specs import TerminalSize
from deployd.errors import Unusable
from deployd.inside.asked import caller_of, read_size, read_wanted


@pytest.mark.parametrize(("columns", "rows", "expected"), [
    (97, 31, TerminalSize(97, 31)), (0, -1, TerminalSize()), ("x", None, TerminalSize()),
    (10**9, 1, TerminalSize(1000, 1)), (True, 2.5, TerminalSize(1, 24)),
])
def test_a_size_is_one(columns: object, rows: object, expected: TerminalSize) -> None:
    assert read_size({"columns": columns, "rows": rows}) == expected


def test_what_is_too_long_is_cut_and_what_is_unknown_is_a_tunnel() -> None:
    found = read_wanted({"project": "p" * 999, "kind": "root", "command": "c" * 60_000, "env": ["LANG"], "worker": 1})
    assert (len(found.project), found.kind, len(found.command), found.variables) == (200, "tunnel", 60_000, {})
    assert found.terminal is None
    with pytest.raises(Unusable):
        read_wanted({"command": "c" * 60_001})


def test_a_terminal_is_one_with_a_kind() -> None:
    found = read_wanted({"kind": "shell", "term": "xterm", "columns": 90, "rows": 20, "env": {"LANG": "C"}})
    assert (found.terminal, found.variables) == (TerminalSize(90, 20), {"LANG": "C", "TERM": "xterm"})


@pytest.mark.parametrize("key", ["", "zz", "00ff", None, 7])
def test_a_key_that_nobody_has_is_nobody(key: object) -> None:
    directory = Directory((), lambda: datetime.now(UTC))
    with pytest.raises(Unauthorized):
        caller_of(directory, {"key": key})
