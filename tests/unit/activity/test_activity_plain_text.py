"""Output of programs without what a terminal would obey."""

import pytest

from deployd.activity.plain_text import plain_text


@pytest.mark.parametrize(("written", "read"), [
    ("plain, with\ttabs, ümläuts and 漢字", "plain, with\ttabs, ümläuts and 漢字"),
    ("\x1b[1;31mred\x1b[0m and not", "red and not"),
    ("a\x1b]0;your title\x07b\x1b[2Jc", "abc"),
    ("clip\x1b]52;c;ZXZpbA==\x1b\\board", "clipboard"),
    ("an unfinished \x1b]0;title", "an unfinished "),
    ("10 %\r 50 %\r100 %\r", "100 %"),
    ("\x00nul \x08bell\x07 \x9b2Jc1", "nul bell 2Jc1"),
    ("\x1bcreset \x1b(Bset", "reset set"),
])
def test_a_line_is_what_a_person_would_read(written: str, read: str) -> None:
    assert plain_text(written) == read
