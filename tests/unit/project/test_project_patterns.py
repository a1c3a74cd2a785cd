# ruff: noqa: E501   rows of tables are lines
"""Regular expressions written for PCRE: which can be used, and where a wrong one is wrong."""

from __future__ import annotations

import pytest

from deployd.project.fields.patterns import pattern_problem

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
AMBIGUOUS = [
    r"^/(a|aa)*$", r"(?x:)#(a|aa)*[xyz]", r"\(?x#(a|aa)*[xyz]", r"(?x)(a | aa)*b", r"^/(a|aa|aaa)*[x-zN]$", r"(a|a)*b", r"(.|a)+", r"(\w|\d)+$", r"(a?b?)*c", r"(a{1,3})*", r"(a|b|ab)*c", r"(ab|a|b)+",
    r"(?i)(a|A)*x", r"(?i:a|A)*x", r"(?>(a|aa)+)b", r"(a|aa)*+b", r"(x)?(?(1)(a|aa)+|b)", r"(?=(a|aa)*b)", r"(?<!x)(?!(a|aa)*b)c",
    r"((a|aa){1,10}){1,10}", r"(a|aa){20}", r"(.*,){25}", r"(\s|\h)+", r"([a-c]|[c-f])+", r"(a+b?)+$", r"(/.*)+x", r"(/.+)+x", r"(?:(?:a|b)|a)*",
    r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(a|(?:aa))*", r"(a|[[:alpha:]])*x", r"(\p{L}|a)+", r"(?x)(a|a a)*", r"(a|\x{61}\x{61})*",
    r"(a|\141\x61)*", r"(\V| )*x", r"(\H|\n)*x", r"(a|.a)*", r"(?<x>a|aa)*", r"(?|(a)|(aa))*", r"((a|aa)b?)*", r"(a|aa){0,}", r"(?:a|aa)+?x",
]
PLAIN = [
    r"^/(en|de|fr)(/[^/]+)*/?$", r"([a-f0-9]{2})+", r"([a-f0-9]{32}/)*", r"(?:(?!foo).)*", r"^(.*)/(.*)/(.*)\.html$", r"(\d{1,3}\.){3}\d+",
    r"^/([\w-]+/)*[\w-]+\.(css|js)$", r"((foo|bar|baz)/)*", r"(%[0-9a-f]{2}|[^%])*", r"^/(?:[^/]+/)*index\.php", r"(\.[^.]+)+$",
    r"^/(?P<p>(?:[a-z]+-)*[a-z]+)$", r"(?i)^/(a|B)*$", r"([A-Z][a-z]*)+", r"(a|b|c|d|e|f|g|h)*", r"(a|aa){1,9}", r"(a|A)*", r"(\V|\n)*",
]
INTRICATE = ["(" + "|".join(f"a{number}" for number in range(600)) + ")*", "(a|b?c?)" * 300 + "*", "(a?){19}" * 200, "[a-z]*" * 600]
LARGE = ["a{65536}", "a{70000,}", "(abc){6000}", "([a-z]){1,2000}", "(ab){70000,}"]


@pytest.mark.parametrize("pattern", GOOD + PLAIN)
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


@pytest.mark.parametrize("pattern", AMBIGUOUS)
def test_a_loop_through_which_one_text_leads_in_two_ways_is_refused(pattern: str) -> None:
    problem = pattern_problem(pattern)
    assert problem is not None
    assert "in several ways" in problem[0] or "repeats a repeat" in problem[0]


@pytest.mark.parametrize("pattern", INTRICATE)
def test_what_cannot_be_looked_through_within_bounds_is_refused(pattern: str) -> None:
    problem = pattern_problem(pattern)
    assert problem is not None
    assert "too intricate" in problem[0]


@pytest.mark.parametrize("pattern", LARGE)
def test_what_pcre_would_not_compile_is_refused(pattern: str) -> None:
    problem = pattern_problem(pattern)
    assert problem is not None
    assert "too large" in problem[0]
