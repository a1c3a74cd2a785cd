"""Text of others on a terminal."""

from __future__ import annotations

import pytest

from deployd.cli.output import harmless


@pytest.mark.parametrize(("text", "shown"), [
    ("plain äöü « » │ 漢字\ttab", "plain äöü « » │ 漢字\ttab"),
    ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
    ("\x1b[1;32mnever ended", "\x1b[1;32mnever ended\x1b[0m"),
    ("\x1b[2J\x1b[Hcleared", "cleared"),
    ("\x1b]0;a title\x07after", "after"),
    ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("10 %\r20 %\x08\x00", "10 %20 %"),
    ("\x1b", ""),
    ("\x9b2Jc1", "2Jc1"),
])
def test_only_colours_are_left_of_control_characters(text: str, shown: str) -> None:
    assert harmless(text) == shown
