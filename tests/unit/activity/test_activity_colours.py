"""Colours of programs' output, kept beside its plain text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployd.activity.colours import MOST_SPANS, STYLES, Span, coloured
from deployd.activity.plain_text import plain_text


@pytest.mark.parametrize(("line", "text", "spans"), [
    ("plain", "plain", ()),
    ("\x1b[31mred\x1b[0m and not", "red and not", ((0, 3, "red"),)),
    ("a \x1b[1;32mgreen\x1b[22m still\x1b[39m end", "a green still end", ((2, 5, "green bold"), (7, 6, "green"))),
    ("\x1b[31mone\x1b[31mtwo", "onetwo", ((0, 6, "red"),)),
    ("\x1b[97mw\x1b[m.", "w.", ((0, 1, "bright-white"),)),
    ("\x1b[38;5;196mred", "red", ((0, 3, "bright-red"),)),
    ("\x1b[38;5;4mblue\x1b[38;5;12mlight", "bluelight", ((0, 4, "blue"), (4, 5, "bright-blue"))),
    ("\x1b[38;5;240mgrey", "grey", ((0, 4, "white"),)),
    ("\x1b[38;2;0;100;0mdeep", "deep", ((0, 4, "green"),)),
    ("\x1b[48;5;1mground\x1b[4mline", "groundline", ((6, 4, "underline"),)),
    ("\x1b[31mgone\r\x1b[32mseen", "seen", ((0, 4, "green"),)),
    ("\x1b[31m10%\r20%\r", "20%", ((0, 3, "red"),)),
    ("\x1b]0;title\x07\x1b[2J\x1b[33mx\x07y", "xy", ((0, 2, "yellow"),)),
    ("\x1b[38;5mtorn\x1b[38;2;1mtorn\x1b[999999999999mx", "torntornx", ()),
])
def test_a_line_has_its_text_and_its_colours(line: str, text: str, spans: tuple[Span, ...]) -> None:
    assert coloured(line) == (text, spans)


def test_a_line_of_single_coloured_letters_is_plain() -> None:
    text, spans = coloured("\x1b[31ma\x1b[32mb" * MOST_SPANS)
    assert (text, spans) == ("ab" * MOST_SPANS, ())


@given(st.text(alphabet=st.sampled_from("ab\r\x1b[]0123456789;:mKH\x07\\\n\t\x9b<é"), max_size=60))
def test_whatever_was_written_the_text_is_the_plain_text_and_the_marks_lie_in_it(line: str) -> None:
    text, spans = coloured(line)
    assert text == plain_text(line)
    end = 0
    for first, length, style in spans:
        assert first >= end
        assert length > 0
        end = first + length
        assert set(style.split()) <= STYLES
    assert end <= len(text)
