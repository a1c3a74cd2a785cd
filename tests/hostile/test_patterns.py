# ruff: noqa: E501   rows of tables are lines
"""Patterns in project files: refused with a sentence when they could run for minutes, and bounded when they are run."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.developer import APP, Developer, MakeDeveloper

ROUTES = '"http://{{default}}/":\n  type: upstream\n  upstream: "app:http"\n  redirects:\n    paths:\n{rules}'
NEIGHBOURS = 20


def redirects(*patterns: str) -> dict[str, str]:
    rules = "".join(f"      ? '{pattern}'\n      : {{to: /found, regexp: true}}\n" for pattern in patterns)
    return {".platform/routes.yaml": ROUTES.format(rules=rules)}


def rules(*patterns: str) -> dict[str, str]:
    text = "".join(f"        ? '{pattern}'\n        : {{allow: true}}\n" for pattern in patterns)
    return {".platform.app.yaml": f"{APP}  locations:\n    /:\n      root: ''\n      passthru: true\n      rules:\n{text}"}


def cookies(*patterns: str) -> dict[str, str]:
    listed = ", ".join(f"'/{pattern}/'" for pattern in patterns)
    return {".platform/routes.yaml":
            f'"http://{{default}}/": {{type: upstream, upstream: "app:http", cache: {{enabled: true, cookies: [{listed}]}}}}\n'}


EXPLODING = ("^/(a|aa|aaa)*[x-zN]$", "(a|a)*b", "(a+)+$", "(.|a)+z", r"(\w|\d)+$", "(?>(a|aa)+)b", "(?i)(a|A)*x", "((a|aa){1,10}){1,10}")
REFUSED = {
    **{f"redirect {pattern}": (redirects(pattern), "bad-pattern") for pattern in EXPLODING},
    **{f"rule {pattern}": (rules(pattern), "bad-pattern") for pattern in EXPLODING},
    **{f"cookie {pattern}": (cookies(pattern), "bad-pattern") for pattern in EXPLODING[:2]},
    "20,000 redirects": (redirects(*(f"^/(a|aa|aaa)*[x-z{number}]$" for number in range(20_000))), "too-many-patterns"),
    "501 redirects": (redirects(*(f"^/{number}$" for number in range(501))), "too-many-patterns"),
    "501 rules": (rules(*(f"^/{number}$" for number in range(501))), "too-many-rules"),
    "large redirects": (redirects(*(f"^/(?:a{{1,3}}b){{1,1000}}{number}$" for number in range(50))), "too-many-patterns"),
    "51 cookies": (cookies(*(f"a{number}" for number in range(51))), "too-many-keys"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_push_with_patterns_that_could_run_for_minutes_is_refused(developer: MakeDeveloper, name: str) -> None:
    files, code = REFUSED[name]
    me = await developer("patterns", files)
    pushed = await me.push()
    text = "\n".join(pushed.lines)
    assert not pushed.deployed
    assert code in text or SAYS[code] in text, text


SAYS = {
    "bad-pattern": "regular expression", "too-many-patterns": "regular expressions", "too-many-rules": "rules, at most",
    "too-many-keys": "entries, at most",
}


async def test_patterns_that_are_allowed_hold_up_nobody_else(developer: MakeDeveloper) -> None:
    """Polynomial ones are honest in many projects; a visitor may find a text that is hard for them."""
    neighbour = await developer("neighbour")
    if (await neighbour.page())[0] != 200:
        assert (await neighbour.push()).deployed
    hard = [f"^/(.*)(.*)(.*)(.*)x{number}y" for number in range(500)]
    me = await developer("patterns", redirects(*hard) | rules(*(f"^/(.*)(.*)(.*)(.*)z{number}y" for number in range(300))))
    pushed = await me.push()
    assert pushed.deployed, pushed.lines
    await me.page()   # each worker compiles them once
    for path in ("/" + "x1" * 1_500 + "y", "/" + "z1" * 1_500 + "y"):
        found = await storm(me, neighbour, path)
        assert found <= {200, 404, 500, 502, 503, 504}
        assert (await neighbour.page())[0] == 200


async def storm(me: Developer, neighbour: Developer, path: str) -> set[int]:
    """Statuses of hard requests, while all of a neighbour's are answered."""
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        hard = [group.create_task(me.page(path=path)) for _ in range(20)]
        visits = [group.create_task(neighbour.page()) for _ in range(NEIGHBOURS)]
    assert [visit.result()[0] for visit in visits] == [200] * NEIGHBOURS
    return {task.result()[0] for task in hard}
