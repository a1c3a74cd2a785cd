"""The commands that talk to a daemon, against a double of it on a real socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from deployd.api.as_json import as_json
from deployd.api.asked import MOST_ITEMS
from deployd.cli.main import main
from deployd.engine.errors import EngineUnreachable
from deployd.process import open_process, run
from deployd.queries.usage import UseShape
from tests.doubles.api import (
    AT,
    MAIL,
    FakeCommands,
    FakeQueries,
    activity,
    ending,
    environment,
    line,
    open_fake_daemon,
    use,
)
from tests.support.corpus import REPOSITORY

Cli = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture
def queries() -> FakeQueries:
    known = [activity(1), activity(2, "blog", reason="[red]not rich's\x1b]0;title\x07[/red]"),
             activity(3, state="in_progress")]
    log = [line(1, "build", "phase"), line(2, "composer install", app="app"),
           line(3, "Installing", "output", app="app"), line(4, "mysql:5 is retired", "warn"),
           line(5, "622 files", "done"), ending(6)]
    return FakeQueries(known, {1: log})


@pytest.fixture
def commands(queries: FakeQueries) -> FakeCommands:
    return FakeCommands(queries, log=[line(1, "deploy", "phase"), ending(2)])


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "api.sock"


@pytest_asyncio.fixture
async def cli(queries: FakeQueries, commands: FakeCommands, socket: Path) -> AsyncIterator[Cli]:
    """Runs a command in a thread, because it has a loop of its own."""

    async def call(*argv: str, typed: str = "") -> Result:
        runner = CliRunner(env={"DEPLOYD_SOCKET": str(socket)})
        return await asyncio.to_thread(runner.invoke, main, list(argv), typed)

    with capture_logs():
        async with open_fake_daemon(socket, queries, commands):
            yield call


@pytest.mark.parametrize(("command", "shown"), [
    ("projects", ["shop", "http://127.0.0.1:8480/git/shop.git"]),
    ("environments", ["production", "live", "48c43b99", "2026-05-04 10:00:00", "http://shop.test/"]),
    ("activities", ["in_progress", "3.4", "ada", "[red]not rich's[/red]"]),
])
async def test_lists_are_tables_for_people(cli: Cli, command: str, shown: list[str]) -> None:
    result = await cli(command)
    assert result.exit_code == 0
    for text in shown:
        assert text in result.output
    assert "\x1b" not in result.output


async def test_what_answers_wrongly_is_named_below_the_environments(cli: Cli, queries: FakeQueries) -> None:
    queries.running = [environment("shop", answers=("visitors get 503 at http://shop.test/",)), environment("blog")]
    output = (await cli("environments")).output
    assert "live, answers wrongly" in output
    assert output.splitlines()[-1] == "! shop/main: visitors get 503 at http://shop.test/"


async def test_lists_are_whole_items_for_programs(cli: Cli, queries: FakeQueries) -> None:
    assert json.loads((await cli("projects", "--json")).output) == as_json(await queries.projects())
    assert json.loads((await cli("environments", "--json")).output) == as_json(await queries.environments(None))
    found = json.loads((await cli("activities", "--json")).output)
    assert found == as_json(sorted(queries.known, key=lambda item: -item.id))


async def test_lists_are_narrowed_down(cli: Cli) -> None:
    async def ids(*argv: str) -> list[int]:
        return [item["id"] for item in json.loads((await cli("activities", "--json", *argv)).output)]

    assert await ids("-p", "blog") == [2]
    assert await ids("-e", "main", "--limit", "1") == [3]
    assert await ids("--state", "in_progress") == [3]
    found = json.loads((await cli("environments", "-p", "blog", "--json")).output)
    assert [item["project"] for item in found] == ["blog"]


@pytest.mark.parametrize("argv", [
    ("activities", "--limit", "0"), ("activities", "--limit", str(MOST_ITEMS + 1)), ("activities", "--state", "bogus"),
    ("log", "first"), ("cancel",), ("rollback", "shop", "main", "--to", "0"), ("plan",), ("nothing",),
    ("undo", "again", "1"),
])
async def test_a_wrong_use_ends_with_2(cli: Cli, argv: tuple[str, ...]) -> None:
    assert (await cli(*argv)).exit_code == 2


async def test_a_status_ends_with_1_when_it_is_degraded(cli: Cli, queries: FakeQueries) -> None:
    result = await cli("status")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "deployd 0.1.0: ok, up 60 s", "activities: 2 in progress, 1 waiting, 3 failed in the last hour",
        "router: 7 requests held", "disk: 5000 MB free",
        "housekeeping: 7 things went, 58.6 MB, 2026-05-04T10:00:00+00:00",
    ]
    queries.reasons = ("Docker does not answer",)
    result = await cli("status")
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "! Docker does not answer")
    result = await cli("status", "--json")
    assert (result.exit_code, json.loads(result.output)["state"]) == (1, "degraded")


async def test_a_log_is_shown_as_the_pusher_saw_it(cli: Cli) -> None:
    result = await cli("log", "1")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "▸ build", "    app  composer install", "    app  │ Installing", "  ! mysql:5 is retired", "  ✓ 622 files",
        "✓ push of main: success",
    ]


async def test_a_log_has_colours_only_on_a_terminal(socket: Path, queries: FakeQueries, commands: FakeCommands) -> None:
    async with open_fake_daemon(socket, queries, commands):
        runner = CliRunner(env={"DEPLOYD_SOCKET": str(socket)})
        shown = await asyncio.to_thread(runner.invoke, main, ["log", "1"], color=True)
        plain = await asyncio.to_thread(runner.invoke, main, ["log", "1"], color=True, env={"NO_COLOR": "1"})
    assert "\x1b[1m▸ build\x1b[0m" in shown.output
    assert "\x1b[33m  ! mysql:5 is retired\x1b[0m" in shown.output
    assert "\x1b" not in plain.output


async def test_a_log_for_programs_is_a_line_of_json_for_each_line(cli: Cli, queries: FakeQueries) -> None:
    result = await cli("log", "-f", "--json", "1")
    assert [json.loads(text) for text in result.output.splitlines()] == queries.logs[1]


async def test_a_followed_log_goes_on_until_the_activity_ends(cli: Cli, queries: FakeQueries) -> None:
    async def later() -> None:
        await asyncio.sleep(0.3)
        queries.logs[3] = [line(1, "build", "phase"), ending(2, "failed")]

    async with asyncio.TaskGroup() as group:
        shown = group.create_task(cli("log", "-f", "3"))
        group.create_task(later())
    assert shown.result().exit_code == 1
    assert shown.result().output.splitlines() == ["▸ build", "✗ push of main: failed"]


async def test_a_log_without_a_number_is_that_of_the_newest(cli: Cli, queries: FakeQueries) -> None:
    queries.logs[2] = [line(1, "of two")]
    queries.logs[3] = [line(1, "of three")]
    assert (await cli("log")).output == "    of three\n"
    assert (await cli("log", "-p", "blog", "-e", "main")).output == "    of two\n"
    result = await cli("log", "-p", "none")
    assert (result.exit_code, result.stderr) == (5, "deployd: there is no activity yet\n")


async def test_a_log_line_may_be_longer_than_a_buffer(cli: Cli, queries: FakeQueries) -> None:
    queries.logs[1] = [line(1, "failed", "error", more=["x" * 400_000]), ending(2)]
    result = await cli("log", "1")
    assert result.exit_code == 0
    assert "x" * 400_000 in result.output


async def test_what_a_build_writes_cannot_play_with_the_terminal(cli: Cli, queries: FakeQueries) -> None:
    queries.logs[1] = [line(1, "\x1b[2J\x1b]0;owned\x07a\rb\x1b[31mred", "output"), ending(2)]
    assert (await cli("log", "1")).output.splitlines()[0] == "    │ abred"


async def test_a_daemon_that_restarts_is_waited_for(cli: Cli, queries: FakeQueries) -> None:
    queries.breaks = 1
    queries.logs[3] = [line(1, "build", "phase")]

    async def later() -> None:
        while queries.breaks:
            await asyncio.sleep(0.02)
        queries.logs[3].append(ending(2))

    async with asyncio.TaskGroup() as group:
        shown = group.create_task(cli("log", "-f", "3"))
        group.create_task(later())
    assert shown.result().exit_code == 0
    assert shown.result().output.splitlines() == ["▸ build", "✓ push of main: success"]


async def test_a_redeploy_is_followed_to_its_end(cli: Cli, commands: FakeCommands) -> None:
    result = await cli("redeploy", "shop", "main")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "activity 4: redeploy of shop/main", "▸ deploy", "✓ push of main: success"]
    assert commands.asked == [("redeploy", "shop", "main", "operator")]


async def test_a_redeploy_that_fails_ends_with_1(cli: Cli, commands: FakeCommands) -> None:
    commands.log = [ending(1, "failed")]
    assert (await cli("redeploy", "shop", "main")).exit_code == 1
    result = await cli("redeploy", "shop", "main", "--json")
    assert (result.exit_code, json.loads(result.output)["state"]) == (1, "failed")


async def test_nobody_has_to_wait_for_a_redeploy(cli: Cli, commands: FakeCommands) -> None:
    commands.log = []
    result = await cli("redeploy", "shop", "main", "--no-wait")
    assert (result.exit_code, result.output) == (0, "activity 4: redeploy of shop/main\n")
    result = await cli("redeploy", "shop", "main", "--no-wait", "--json")
    assert json.loads(result.output)["state"] == "pending"


async def test_a_waited_for_redeploy_is_one_json_document(cli: Cli) -> None:
    result = await cli("redeploy", "shop", "main", "--json")
    found = json.loads(result.output)
    assert (result.exit_code, found["id"], found["kind"], found["state"]) == (0, 4, "redeploy", "success")


async def test_a_branch_with_a_slash_can_be_named(cli: Cli, commands: FakeCommands) -> None:
    await cli("redeploy", "shop", "feature/new & shiny?", "--no-wait")
    assert commands.asked == [("redeploy", "shop", "feature/new & shiny?", "operator")]


async def test_a_push_is_asked_for_again_by_its_number(cli: Cli, commands: FakeCommands) -> None:
    assert (await cli("push-again", "1", "--no-wait")).output == "activity 4: push of shop/main\n"
    assert commands.asked == [("push again", "shop", "main-bvxea6i", 1, "operator")]


async def test_a_rollback_names_its_version(cli: Cli, commands: FakeCommands) -> None:
    assert (await cli("rollback", "shop", "main", "--to", "1")).exit_code == 0
    assert (await cli("rollback", "shop", "main")).exit_code == 0
    assert [asked[3] for asked in commands.asked] == [1, None]


async def test_a_rollback_says_whether_it_locks(cli: Cli, commands: FakeCommands) -> None:
    await cli("rollback", "shop", "main", "--no-lock")
    await cli("rollback", "shop", "next", "--lock")
    assert [asked[-1] for asked in commands.asked] == [False, True]


async def test_a_lock_says_what_it_does_not_hold_and_how_to_end_it(cli: Cli, commands: FakeCommands) -> None:
    locked = await cli("lock", "shop", "main", "--reason", "the sale")
    assert "pushes are built and wait; `deployd unlock shop main` lets them go live" in locked.output
    assert "activity 3 runs already" in locked.output
    unlocked = await cli("unlock", "shop", "main")
    assert unlocked.output == "shop/main is unlocked\nactivity 4 goes on: deployd log -f 4\n"
    assert commands.asked == [("lock", "shop", "main", "the sale", "operator"), ("unlock", "shop", "main", "operator")]
    assert json.loads((await cli("lock", "shop", "main", "--json")).output)["lock"]["who"] == "operator"


async def test_a_refusal_ends_with_6_and_says_how_to_mend_it(cli: Cli) -> None:
    result = await cli("rollback", "shop", "main", "--to", "99")
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr == (
        "deployd: main has no version 99 to go back to\n  hint: versions that were live: 1\n")


@pytest.mark.parametrize("argv", [
    ("redeploy", "shop", "nothing"), ("log", "77"), ("log", "-f", "77"), ("cancel", "77"),
])
async def test_what_is_not_there_ends_with_5(cli: Cli, argv: tuple[str, ...]) -> None:
    result = await cli(*argv)
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.startswith("deployd: ")


async def test_an_engine_that_is_gone_ends_with_1(cli: Cli, commands: FakeCommands) -> None:
    commands.refusal = EngineUnreachable("cannot look: Docker does not answer")
    assert (await cli("redeploy", "shop", "main")).exit_code == 1


async def test_an_activity_is_cancelled(cli: Cli, commands: FakeCommands) -> None:
    result = await cli("cancel", "3")
    assert (result.exit_code, result.output) == (0, "activity 3 is asked to end (it is in progress)\n")
    assert json.loads((await cli("cancel", "3", "--json")).output)["id"] == 3
    assert commands.asked == [("cancel", 3, "operator")] * 2


async def test_an_undo_that_is_stuck_is_retried_or_skipped_by_name(cli: Cli, commands: FakeCommands) -> None:
    result = await cli("undo", "retry", "3")
    assert (result.exit_code, result.output) == (0, "activity 3: what is stuck is tried again now\n")
    assert json.loads((await cli("undo", "skip", "3", "--json")).output)["id"] == 3
    assert commands.asked == [("retry_undo", 3), ("skip_undo", 3, "operator")]


async def test_an_activity_that_waits_says_for_what(cli: Cli, queries: FakeQueries) -> None:
    queries.known.append(activity(4, state="in_progress", waits="waits for 2048 MB"))
    assert "waits for 2048 MB" in (await cli("activities")).output


@pytest.mark.parametrize("argv", [
    ("status",), ("projects",), ("environments", "--json"), ("activities",), ("log",), ("log", "-f", "1"),
    ("cancel", "1"), ("undo", "skip", "1"),
    ("redeploy", "shop", "main"), ("rollback", "shop", "main"),
])
def test_without_a_daemon_everything_ends_with_4(socket: Path, argv: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [argv[0], "--socket", str(socket), *argv[1:]])
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == (
        f"deployd: no deployd answers at {socket} (No such file or directory)\n"
        "  hint: start it with `deployd serve`, or name its socket with --socket or DEPLOYD_SOCKET\n")


async def test_collect_says_what_would_go_and_takes_it_away(cli: Cli, commands: FakeCommands) -> None:
    result = await cli("collect", "--dry-run", "--deleted")
    assert result.output.splitlines()[1].split() == [
        "data", "shop/old-abc", "7.2", "MB", "2026-05-04", "10:00:00", "its", "environment", "was", "deleted",
    ]
    assert result.output.splitlines()[-1] == "1 things would go, 7.2 MB"
    assert json.loads((await cli("collect", "--json")).output)["things"][0]["kind"] == "data"
    assert commands.asked == [("collectable", True), ("collect", "operator", False)]


async def test_an_interrupted_follower_says_what_goes_on(
    socket: Path, queries: FakeQueries, commands: FakeCommands,
) -> None:
    queries.logs[3] = [line(1, "build", "phase")]
    argv = [sys.executable, "-m", "deployd", "log", "--socket", str(socket), "-f", "3"]
    async with open_fake_daemon(socket, queries, commands), open_process(*argv, cwd=REPOSITORY) as process:
        assert (await process.stdout.readline()).decode() == "▸ build\n"
        os.kill(process.pid, signal.SIGINT)
        said = (await process.stderr.read()).decode().strip()
        assert await process.wait() == 130
    assert said == ("deployd: activity 3 goes on; `deployd log -f 3` shows the rest, `deployd cancel 3` ends it")


@pytest.mark.parametrize(("argv", "status"), [
    (("status",), 0), (("log", "77"), 5), (("activities", "--limit", "x"), 2),
])
async def test_the_installed_program_ends_as_the_commands_do(
    socket: Path, queries: FakeQueries, commands: FakeCommands, argv: tuple[str, ...], status: int,
) -> None:
    async with open_fake_daemon(socket, queries, commands):
        output = await run(sys.executable, "-m", "deployd", *argv, check=False, cwd=REPOSITORY,
                           env={**os.environ, "DEPLOYD_SOCKET": str(socket)})
    assert output.status == status
    assert b"Traceback" not in output.stderr


async def test_a_pass_is_shown_as_a_link_that_can_be_opened(cli: Cli, commands: FakeCommands) -> None:
    assert (await cli("pass", "shop", "main")).stdout == "http://shop.test/pass?1.f\n"
    assert json.loads((await cli("pass", "shop", "main", "--json")).stdout)["links"] == ["http://shop.test/pass?1.f"]
    assert {asked[:3] for asked in commands.asked} == {("pass", "shop", "main")}


def used(name: str, at: str, cpu: float, **more: Any) -> UseShape:
    values: dict[str, Any] = {
        "kind": "worker", "memory_bytes": 41_300_000, "memory_limit_bytes": 536_870_912, "restarts": 1, "kills": 2,
        "killed_at": AT, **more,
    }
    return use(name, at, cpu_seconds=cpu, **values)


async def test_top_says_how_busy_parts_were_between_two_looks(
    cli: Cli, queries: FakeQueries, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deployd.cli.top.BETWEEN_SECONDS", 0.0)
    before, after = "2026-05-04T10:00:00+00:00", "2026-05-04T10:00:02+00:00"
    queries.used = [
        [used("calm", before, 5.0), used("busy", before, 1.0), used("again", before, 50.0)],
        [used("calm", after, 5.02), used("busy", after, 2.5, disk_bytes=1_200_000_000), used("again", after, 0.2),
         used("new", after, 9.0), used("away", after, 0.0, containers=0, memory_bytes=0)],
    ]
    shown = (await cli("top", "shop", "main")).output.splitlines()
    assert [line.split()[3:] for line in shown[1:]] == [
        ["busy", "75.0", "%", "39.4", "MB", "512.0", "MB", "1", "2", "1.1", "GB"],
        ["again", "10.0", "%", "39.4", "MB", "512.0", "MB", "1", "2", "-"],
        ["calm", "1.0", "%", "39.4", "MB", "512.0", "MB", "1", "2", "-"],
        ["new", "0.0", "%", "39.4", "MB", "512.0", "MB", "1", "2", "-"],
        ["away", "-", "-", "512.0", "MB", "1", "2", "-"],
    ]
    assert queries.asked_uses == [("shop", "main")] * 2
    found = json.loads((await cli("top", "--json")).output)
    assert [(item["name"], item["cores"]) for item in found][:2] == [("again", 0.0), ("busy", 0.0)], "nothing went on"
    assert (await cli("top", "shop", "nothing")).exit_code == 5


async def test_what_the_kernel_killed_stands_below_the_environments(cli: Cli, queries: FakeQueries) -> None:
    queries.running = (environment("shop", killed=("the kernel killed a process of the worker shop--mailer",)),)
    assert (await cli("environments")).output.splitlines()[-1] == (
        "! shop/main: the kernel killed a process of the worker shop--mailer"
    )


async def test_mails_are_a_table_and_one_of_them_is_read_or_taken_as_it_is(cli: Cli) -> None:
    assert "Hello" in (await cli("mail", "shop", "main")).output
    assert json.loads((await cli("mail", "shop", "main", "--json")).output)[0]["recipients"] == ["b@c.test"]
    assert (await cli("mail", "shop", "main", "1")).output.splitlines()[:2] == ["From: a@shop.test", "Subject: Grüße"]
    assert (await cli("mail", "shop", "main", "1", "--raw")).stdout_bytes == MAIL
    missing = await cli("mail", "shop", "main", "2")
    assert (missing.exit_code, "there is no mail 2" in missing.output) == (5, True)
def printed(number: int, text: str, **more: Any) -> dict[str, Any]:
    return {"time": f"2026-05-04T10:00:0{number}.5Z", "project": "shop", "environment": "main-bvxea6i", "app": "shop",
            "kind": "app", "name": "shop", "version": 1, "stream": "stdout", "text": text, **more}


async def test_output_is_shown_with_who_printed_it(cli: Cli, queries: FakeQueries) -> None:
    queries.printed = [
        printed(1, "\x1b[2Jhello"), printed(2, "sent", kind="worker", name="mailer"), printed(3, "x", kind="web"),
        printed(4, "ready", kind="service", app="", name="db", version=None),
        printed(5, "done", kind="cron", name="nightly", stream="output"),
    ]
    result = await cli("logs", "shop", "main")
    assert result.output.splitlines() == [
        "2026-05-04 10:00:01 shop | hello", "2026-05-04 10:00:02 shop worker mailer | sent",
        "2026-05-04 10:00:03 shop web | x", "2026-05-04 10:00:04 db | ready",
        "2026-05-04 10:00:05 shop cron nightly | done",
    ]
    as_json = (await cli("logs", "shop", "main", "--json")).output.splitlines()
    assert [json.loads(line) for line in as_json] == queries.printed
    assert (await cli("logs", "shop", "nothing")).exit_code == 5


async def test_output_is_asked_for_as_the_options_say(cli: Cli, queries: FakeQueries) -> None:
    await cli("logs", "shop", "main", "--worker", "mailer", "--version", "3", "-n", "7")
    await cli("logs", "shop", "main", "--since", "2026-05-04T10:00:01.5Z")
    await cli("logs", "shop", "main", "--since", "10m")
    first, second, third = queries.asked_output
    assert (first[0].worker, first[0].version, first[2]) == ("mailer", 3, 7)
    assert second[1:] == ("2026-05-04T10:00:01.5\0", None)
    assert third[1] > "2026"


async def test_following_output_goes_on_behind_the_last_line_when_the_daemon_comes_back(
    queries: FakeQueries, commands: FakeCommands, socket: Path,
) -> None:
    queries.printed, queries.breaks = [printed(1, "one")], 1
    argv = [sys.executable, "-m", "deployd", "logs", "--socket", str(socket), "-f", "shop", "main"]
    async with open_fake_daemon(socket, queries, commands), open_process(*argv, cwd=REPOSITORY) as process:
        assert b"one" in await process.stdout.readline()
        while queries.breaks:
            await asyncio.sleep(0.01)
        queries.printed.append(printed(2, "two"))
        assert b"two" in await process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
        assert await process.wait() == 0
    assert [start for _, start, _ in queries.asked_output] == ["", "2026-05-04T10:00:01.5\0"]


async def test_an_environment_is_deleted_when_its_branch_was_typed(cli: Cli, commands: FakeCommands) -> None:
    result = await cli("delete", "shop", "main", typed="other\n")
    assert result.exit_code != 0
    assert "its data stays as it is" in result.output
    assert commands.asked == []
    assert (await cli("delete", "shop", "main", typed="main\n")).exit_code == 0
    assert (await cli("delete", "shop", "main", "--yes")).exit_code == 0
    assert commands.asked == [("delete", "shop", "main", "operator")] * 2


async def test_versions_and_crons_are_lists_and_a_cron_is_run(cli: Cli, commands: FakeCommands) -> None:
    assert "change 3" in (await cli("versions", "shop", "main")).output
    assert json.loads((await cli("versions", "shop", "main", "--json")).output)[0]["live"] is True
    assert "tidy" in (await cli("crons", "shop", "main")).output
    result = await cli("run-cron", "shop", "main", "app", "tidy")
    assert "tidy of app runs as soon as it may" in result.output
    assert commands.asked == [("run cron", "shop", "main", "app", "tidy", "operator")]


@pytest.mark.parametrize("name", ["activate", "deactivate", "pause", "wake"])
async def test_an_environment_is_brought_to_rest_and_back(cli: Cli, commands: FakeCommands, name: str) -> None:
    made = await cli("environment", name, "shop", "wip/idea", "--no-wait")
    assert made.exit_code == 0, made.output
    assert commands.asked == [(name, "shop", "wip/idea", "operator")]
    shown = await cli("environment", name, "shop", "wip/idea", "--no-wait", "--json")
    assert json.loads(shown.output)["kind"] == name


async def test_an_environment_has_a_title_and_a_parent(cli: Cli, commands: FakeCommands) -> None:
    assert (await cli("environment", "title", "shop", "main", "The new cart")).output == "shop/main, The new cart\n"
    assert (await cli("environment", "parent", "shop", "main", "next")).output == "shop/main; its parent is next\n"
    await cli("environment", "title", "shop", "main")
    assert commands.asked == [
        ("describe", "shop", "main", "The new cart", None), ("describe", "shop", "main", None, "next"),
        ("describe", "shop", "main", "", None),
    ]
    assert json.loads((await cli("environment", "title", "shop", "main", "x", "--json")).output)["title"] == "x"


async def test_the_list_of_environments_has_columns_for_what_somebody_said_of_them(
    cli: Cli, commands: FakeCommands,
) -> None:
    shown = (await cli("environments")).output
    assert ("title" in shown, "parent" in shown) == (False, False)
    queries = commands.queries
    queries.running = [replace(queries.running[0], title="The cart", parent="release", state="paused")]
    shown = (await cli("environments")).output
    assert [word for word in ("title", "The cart", "parent", "release", "paused") if word not in shown] == []
