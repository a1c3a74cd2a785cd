"""`promote`, `can-i` and `ticket` against a daemon that is made up."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from deployd.api.as_json import as_json
from deployd.cli.exit_status import FAILED, NO_SUCH_THING, REFUSED
from tests.doubles.api import FakeQueries
from tests.doubles.tickets import DIGEST, ticket
from tests.unit.cli.test_cli_commands import Cli, cli, commands, queries, socket

__all__ = ["cli", "commands", "queries", "socket"]   # fixtures


async def test_a_promotion_says_where_it_goes_and_what_to_look_at(cli: Cli, queries: FakeQueries) -> None:
    result = await cli("promote", "shop", "main", "production", "-m", "the sale", "--at", "2026-12-01T06:00+01:00")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "ticket 2: 48c43b99 of main → production", "activity 3 builds what is not built yet: deployd log -f 3",
        "then it waits for its gate: deployd ticket show 2",
    ]
    [(_, project, environment, source, asking)] = queries.tickets.asked
    assert (project, environment, source, asking.comment) == ("shop", "production", "main", "the sale")
    assert asking.not_before == datetime.fromisoformat("2026-12-01T05:00+00:00")


async def test_an_approval_shows_the_ticket_asks_and_sends_the_digest_that_was_shown(
    cli: Cli, queries: FakeQueries,
) -> None:
    refused = await cli("ticket", "approve", "1", typed="n\n")
    assert (refused.exit_code, queries.tickets.asked) == (1, [])
    done = await cli("ticket", "approve", "1", typed="y\n")
    assert done.exit_code == 0
    for text in (DIGEST, "Mend the <b>door</b>", "the one that is live on main, byte by byte", "env:HOST",
                 "✗ production needs 1 approval", "ticket 1 is passed"):
        assert text in done.output
    assert queries.tickets.asked == [("approve", 1, DIGEST, "operator", "")]


async def test_a_script_approves_what_it_looked_at_before(cli: Cli, queries: FakeQueries) -> None:
    late = await cli("ticket", "approve", "1", "--digest", "0" * 32)
    assert late.exit_code == REFUSED
    assert "is not what you looked at" in late.output
    assert json.loads((await cli("ticket", "approve", "1", "--digest", DIGEST, "--json")).output)["state"] == "passed"


@pytest.mark.parametrize(("argv", "asked", "said"), [
    (("decline", "1", "--reason", "no"), ("decline", 1, "operator", "no"), "ticket 1 is declined by operator: no"),
    (("withdraw", "1"), ("withdraw", 1, "operator", ""), "ticket 1 is withdrawn by operator"),
    (("schedule", "1", "now"), ("schedule", 1, None, "operator", True), "ticket 1 is waiting"),
    (("emergency", "1", "--reason", "fire"), ("emergency", 1, "operator", "fire"), "ticket 1 is passed"),
])
async def test_what_is_done_to_a_ticket(
    cli: Cli, queries: FakeQueries, argv: tuple[str, ...], asked: tuple[object, ...], said: str,
) -> None:
    result = await cli("ticket", *argv)
    assert result.exit_code == 0
    assert said in result.output
    assert queries.tickets.asked == [asked]


@pytest.mark.parametrize("argv", [
    ("ticket", "decline", "1"), ("ticket", "emergency", "1"), ("ticket", "schedule", "1", "tomorrow"),
    ("promote", "shop", "main"), ("promote", "shop", "main", "production", "--at", "soon"), ("can-i", "fly"),
])
async def test_a_wrong_use_ends_with_2(cli: Cli, queries: FakeQueries, argv: tuple[str, ...]) -> None:
    assert (await cli(*argv)).exit_code == 2
    assert queries.tickets.asked == []


async def test_can_i_ends_with_1_when_something_stands_in_the_way(cli: Cli) -> None:
    result = await cli("can-i", "promote", "shop", "production", "--source", "main")
    assert result.exit_code == FAILED
    assert result.output.splitlines() == [
        "not at once: 48c43b99 of main → staging → production", "  ✗ production needs 1 approval",
        "    hint: an approver other than who asked: deployd ticket approve 1", "windows: mon-thu 09:00-17:00 UTC",
        "ticket 1 is open there, and a new promotion takes its place",
    ]
    refused = await cli("can-i", "promote", "shop", "open")
    assert refused.exit_code == REFUSED
    assert "takes any push" in refused.output


async def test_lists_are_tables_for_people_and_whole_items_for_programs(cli: Cli, queries: FakeQueries) -> None:
    queries.tickets.known.append(ticket(2, is_open=False, state="declined", ended_by="bob", ended_why="\x1b]0;no\x07",
                                        obstacles=()))
    shown = (await cli("ticket", "list")).output
    assert "production needs 1 approval" in shown
    assert "declined" not in shown
    everything = await cli("ticket", "list", "--all")
    assert "declined" in everything.output
    assert "\x1b" not in everything.output
    found = json.loads((await cli("ticket", "list", "--json")).output)
    assert found == as_json([item for item in queries.tickets.known if item.is_open])
    assert (await cli("ticket", "show", "99")).exit_code == NO_SUCH_THING
