"""How long a release is watched, when it is bad, and what ends a watch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deployd.errors import DeployError
from deployd.project.model import Checks, SmokeTest
from deployd.release.checks.policy import policy_of
from deployd.release.checks.request_log import RequestLog
from deployd.release.checks.smoke import Answered
from deployd.release.checks.watch import Found, Span, Watch
from deployd.settings import Settings
from tests.doubles.activity_world import QuietTell

pytestmark = pytest.mark.looptime

SWITCHED = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
HOME = SmokeTest("home", path="/")
WELL, BAD = Answered(HOME), Answered(HOME, "GET http://shop.test/ answers 500", ("Oops",))


class Clock:
    """Moves with the loop."""

    def __init__(self, behind_switch: float = 0) -> None:
        self._began = SWITCHED + timedelta(seconds=behind_switch)

    def now(self) -> datetime:
        return self._began + timedelta(seconds=asyncio.get_running_loop().time())


async def watched(
    folder: Path, *answers: Answered | DeployError | Sequence[Answered], begins: float = 0, seconds: float = 60,
    overtaken_at: float = 1e9,
) -> tuple[Found, float, QuietTell]:
    """What came of it, and seconds of the loop. The last of the answers comes for ever."""
    left, tell, loop = list(answers), QuietTell(), asyncio.get_running_loop()

    async def ask() -> Sequence[Answered]:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, DeployError):
            raise one
        return [one] if isinstance(one, Answered) else one

    async def overtaken() -> str:
        return "push 9 waits" if loop.time() >= overtaken_at else ""

    switched = SWITCHED.timestamp()
    log: Any = RequestLog(folder / "access.log", switched, switched)
    quiet: Any = tell
    found = await Watch(Span(switched, switched + seconds), log, Clock(begins), quiet, ask, overtaken).run()
    return found, loop.time(), tell


async def test_a_good_release_is_watched_to_the_end_from_the_switch_on(tmp_path: Path) -> None:
    found, seconds, _ = await watched(tmp_path, WELL, begins=20)
    assert (found.verdict, found.said) == ("good", "1 smoke test passed, no visitor came")
    assert seconds == pytest.approx(40, abs=2.5)


async def test_a_watch_that_comes_late_looks_once_and_a_clock_that_was_set_back_makes_none_longer(
    tmp_path: Path,
) -> None:
    assert (await watched(tmp_path, WELL, begins=5_000))[1] == 0
    assert (await watched(tmp_path, WELL, begins=-5_000))[1] == pytest.approx(60, abs=2.5)


async def test_a_smoke_test_has_to_fail_three_times_in_a_row(tmp_path: Path) -> None:
    found, seconds, tell = await watched(tmp_path, WELL, BAD, BAD, WELL, BAD, BAD, BAD)
    assert found.verdict == "bad"
    assert found.said == "the smoke test home failed 3 times in a row: GET http://shop.test/ answers 500"
    assert found.lines == ("Oops",)
    assert seconds < 15
    assert [kind for kind, _ in tell.said] == ["warn", "line", "warn"], "each time it begins and ends is told"


async def test_a_test_that_fails_at_the_very_end_is_looked_at_until_it_is_known(tmp_path: Path) -> None:
    assert (await watched(tmp_path, BAD, begins=70))[0].verdict == "bad"
    assert (await watched(tmp_path, BAD, BAD, WELL, begins=70))[0].verdict == "good"


async def test_tests_that_fail_in_turns_end_with_the_time_all_the_same(tmp_path: Path) -> None:
    cart = SmokeTest("cart", path="/cart")
    turns = [[BAD, Answered(cart)], [WELL, Answered(cart, "GET http://shop.test/cart answers 500")]] * 500
    found, seconds, _ = await watched(tmp_path, *turns)
    assert found.verdict == "good"
    assert 60 <= seconds < 75


async def test_what_waits_ends_a_watch_unless_it_is_known_by_then(tmp_path: Path) -> None:
    found, seconds, _ = await watched(tmp_path, WELL, overtaken_at=9)
    assert (found.verdict, found.said) == ("overtaken", "not watched any longer: push 9 waits")
    assert seconds < 13


async def test_where_nothing_can_be_asked_nothing_is_said_to_be_bad(tmp_path: Path) -> None:
    found, _, tell = await watched(tmp_path, DeployError("Docker does not answer"))
    assert (found.verdict, found.said) == ("unknown", "smoke tests could not be asked: Docker does not answer")
    assert [kind for kind, _ in tell.said] == ["warn"]
    assert (await watched(tmp_path, DeployError("Docker is started again"), WELL))[0].verdict == "good"


def policy(settings: dict[str, Any], said: Checks = Checks(), kind: Any = "production") -> Any:  # noqa: B008
    made = Settings.model_validate(settings | {"projects": {"shop": settings.pop("shop", {})}})
    return policy_of(made, made.projects["shop"], "main", kind, said)   # type: ignore[index]


def test_nothing_is_watched_that_nobody_named() -> None:
    assert not policy({}).is_watched
    assert policy({"checks": {"on_bad_release": "revert"}}).is_watched
    assert policy({"shop": {"checks": {"watch_seconds": 30}}}).watch_seconds == 30
    assert policy({}, Checks((HOME,))).on_bad_release == "report"


def test_the_operator_goes_before_the_repository_and_smoke_tests_of_both_count() -> None:
    said = Checks((HOME, SmokeTest("api", path="/api")), 100, "revert")
    found = policy({
        "checks": {"watch_seconds": 20},
        "shop": {"environments": {"main": {"checks": {"on_bad_release": "report", "smoke": {"home": {
            "command": "true", "status": 3}}}}}},
    }, said)
    assert (found.watch_seconds, found.on_bad_release) == (20, "report")
    assert [(test.name, test.path, test.command, test.status) for test in found.smoke] == [
        ("home", "", "true", (3,)), ("api", "/api", "", ())]


def test_a_repository_says_for_which_environments() -> None:
    said = Checks((HOME,), types=("production",))
    assert policy({}, said).is_watched
    assert not policy({}, said, "development").is_watched


@pytest.mark.parametrize("test", [
    {}, {"path": "/", "command": "true"}, {"path": "health"}, {"path": "//evil.test/"}, {"path": "/a b"},
    {"path": "/\r\nHost: x"}, {"path": "/", "method": "DELETE"}, {"path": "/", "headers": {"Host": "x"}},
    {"path": "/", "headers": {"X": "a\r\nb"}}, {"path": "/", "headers": {"transfer-encoding": "chunked"}},
    {"path": "/", "matches": "("}, {"path": "/", "timeout_seconds": 61}, {"path": "/", "host": "a/b@c"},
    {"path": "/", "status": [1000]}, {"path": "/", "status": True},
])
def test_a_test_that_nobody_could_ask_is_refused(test: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="checks"):
        Settings.model_validate({"checks": {"smoke": {"home": test}}})
