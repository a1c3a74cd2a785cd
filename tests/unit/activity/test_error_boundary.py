"""The error boundary: what it catches, what goes through, how it is told, and when it is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import structlog

from deployd.activity.error_boundary import MOST_TOLD, ErrorBoundaries, ErrorBoundary
from deployd.activity.supervised import supervised
from deployd.errors import DeployError, Transient

pytestmark = pytest.mark.looptime


def fail(boundary: ErrorBoundary, item: str, error: Exception) -> float:
    """Seconds until it may be tried again."""
    with boundary.contain(item) as tried:
        raise error
    assert tried.failed
    return tried.again_in


def remote_away() -> DeployError:
    return DeployError("the remote does not answer", where="shop", hint="wait")


async def test_a_bug_is_told_at_once_and_goes_away_when_it_goes_well() -> None:
    boundary = ErrorBoundary("crons")
    fail(boundary, "the crons of shop/main", KeyError("run-1"))
    [told] = boundary.troubles()
    assert told.startswith("crons: the crons of shop/main failed: an error of deployd itself (incident ")
    assert "KeyError: 'run-1'" in told
    assert "hint: it is tried again" in told
    with boundary.contain("the crons of shop/main") as tried:
        pass
    assert (tried.failed, boundary.troubles(), boundary.failing, boundary.failures) == (False, [], 0, 1)


async def test_an_expected_error_is_told_when_it_comes_twice_with_where_and_mend() -> None:
    boundary = ErrorBoundary("lost pushes")
    fail(boundary, "shop", remote_away())
    assert boundary.troubles() == []
    fail(boundary, "shop", remote_away())
    assert boundary.troubles() == ["lost pushes: shop failed 2 times: the remote does not answer (shop); hint: wait"]


async def test_what_the_host_refuses_is_no_bug_and_is_told_when_it_comes_twice() -> None:
    boundary = ErrorBoundary("crons")
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            fail(boundary, "a cron", FileExistsError(17, "File exists", "run-1"))
    assert "the host refused it: FileExistsError: [Errno 17] File exists: 'run-1'" in boundary.troubles()[0]
    assert not any("incident" in entry for entry in logs)
    assert logs[0]["exc_info"], "its traceback says where"


@pytest.mark.parametrize("error", [
    ExceptionGroup("", [remote_away(), ValueError("x")]), Transient(remote_away(), 3), RecursionError(), KeyError("a"),
])
async def test_every_exception_is_caught(error: Exception) -> None:
    assert fail(ErrorBoundary("a"), "b", error) > 0


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
async def test_the_end_of_the_daemon_goes_through(end: type[BaseException]) -> None:
    boundary = ErrorBoundary("crons")
    with pytest.raises(end), boundary.contain("shop"):
        raise end
    assert boundary.failures == 0


async def test_pauses_grow_up_to_a_longest_one_and_begin_anew() -> None:
    boundary = ErrorBoundary("crons", longest_seconds=10)
    assert [fail(boundary, "shop", ValueError()) for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    assert not boundary.may_try("shop")
    assert boundary.may_try("another")
    await asyncio.sleep(10)
    assert boundary.may_try("shop")
    boundary.succeeded("shop")
    assert fail(boundary, "shop", ValueError()) == 1


async def test_a_traceback_is_logged_once_for_each_kind_of_error() -> None:
    boundary = ErrorBoundary("crons")
    with structlog.testing.capture_logs() as logs:
        for number in range(200):
            fail(boundary, f"shop {number % 2}", ValueError("the same place"))
        await asyncio.sleep(4000)
        fail(boundary, "shop 0", ValueError("an hour later"))
    assert len([entry for entry in logs if "exc_info" in entry]) == 2, "once in an hour"
    assert len(logs) < 20
    first = next(entry["incident"] for entry in logs if "incident" in entry)
    assert first in boundary.troubles()[1], "another item of the same kind is told under the same name"


async def test_what_is_not_there_any_more_is_forgotten() -> None:
    boundary = ErrorBoundary("crons")
    for item in ("run a", "run b", "read c"):
        fail(boundary, item, ValueError())
    boundary.keep_only({"run b"}, beginning="run ")
    assert boundary.failing == 2
    boundary.keep_only(())
    assert boundary.troubles() == []


async def test_the_status_names_so_many_and_counts_the_rest() -> None:
    boundaries = ErrorBoundaries()
    for number in range(MOST_TOLD + 7):
        fail(boundaries.of("crons"), f"shop {number}", ValueError())
    with boundaries.of("watch").contain("main", shown=False):
        raise ValueError
    assert len(boundaries.troubles()) == MOST_TOLD + 1
    assert boundaries.troubles()[-1] == "crons: 7 more fail"
    assert boundaries.figures() == {"crons": (MOST_TOLD + 7, MOST_TOLD + 7), "watch": (1, 1)}
    assert boundaries.of("crons") is boundaries.of("crons")


async def test_a_task_that_fails_is_told_until_it_has_run_for_long() -> None:
    boundary, works = ErrorBoundary("tasks"), asyncio.Event()

    async def once() -> None:
        if not works.is_set():
            raise ValueError("away")
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(supervised("crons", once, longest_seconds=8, boundary=boundary))
        await asyncio.sleep(5)
        assert "tasks: crons failed" in boundary.troubles()[0]
        works.set()
        await asyncio.sleep(6)
        assert boundary.troubles() != [], "it has only just begun"
        await asyncio.sleep(20)
        assert boundary.troubles() == []
        task.cancel()


@pytest.mark.parametrize("ask", [
    lambda boundary: boundary.pause_seconds("a"), lambda boundary: boundary.failed("a", ValueError()).times,
])
def test_it_may_be_used_in_a_thread(ask: Callable[[ErrorBoundary], float]) -> None:
    assert ask(ErrorBoundary("access logs")) in (0, 1)
