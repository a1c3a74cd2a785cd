# ruff: noqa: E501   rows of tables are lines
"""Regular expressions written for PCRE: which can be used, and where a wrong one is wrong."""

from __future__ import annotations

import pytest

from deployd.project.patterns import pattern_problem

GOOD = [
    r"[[a]", r"[a||b&&c~~d]", r"[]a]", r"[^]a]", r"\p{L}+\P{Lu}", r"[\p{L}\x{1F600}]", r"\x{e9}", r"[^[:space:]]", r"\Gx\X",
    r"\.(css|js|gif|jpe?g|png)$", r"^/static/version\d+/(?<resource>.*)$", r"/robots\.txt$", r"(?i)\.php$", r"^/var/.*(?i)\.(php3?|phar)$",
    r"^/(?'name'[a-z]+)/(?P=name)$", r"[[:alpha:]]+", r"^/a\h+b\z", r"(?:a|b)+", r"(\w+/)*x", r"(/[^/]+)+$", r"^(?!/admin).*$", r"(?<=a)b",
    r"(?<!a)b", r"a{2,5}", r"(a{1,3}b){1,9}", r"a++", r"(?>a+)b", r"^/(en|de|fr)(/.*)?$", r"(?|(a)|(b))", "", r"é+", r"(a+b)+", r"[\[\]]+",
    r"^/([a-z]{2}-)?[a-z]+/", r"(?x)a b", r"(-\d+)+x",
]
BAD = [
    (r"(?R)", 1), (r"[[a", 0), (r"(a)\9", 4),
    (r"(", 0), (r"a(b", 1), (r"a)", 1), (r"[a", 0), (r"*a", 0), (r"a**", 2), (r"(?<n>a)(b", 7), (r"(?<n>a)(?<m>b)[", 14), (r"[z-a]", 1),
    ("a\\", 1),
]
EXPLODING = [r"(a+)+", r"(a*)*", r"(a+)*$", r"(([a-z])+)+", r"(.*)*x", r"(a|b+)+", r"((a+)?)*",
             r"(\s*)+", r"(?:a+){25,}", r"((((a+))))+", r"(?=(a+)+)b", r"(x+x*)+" ]


@pytest.mark.parametrize("pattern", GOOD)
def test_a_pattern_that_can_be_used(pattern: str) -> None:
    assert pattern_problem(pattern) is None


@pytest.mark.parametrize(("pattern", "position"), BAD)
def test_a_wrong_pattern_is_wrong_at_a_position_of_what_was_written(pattern: str, position: int) -> None:
    problem = pattern_problem(pattern)
    assert problem is not None
    assert problem[1] == position


@pytest.mark.parametrize("pattern", EXPLODING)
def test_a_repeat_of_repeats_is_refused(pattern: str) -> None:
    problem = pattern_problem(pattern)
    assert problem is not None
    assert "repeats a repeat" in problem[0]
