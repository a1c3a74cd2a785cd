"""What every test has around it."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.longest_first import MEASURED, Stopwatch, expected_seconds, file_of, read_durations
from tests.support.shown import SHOWN_AT_THE_END

STOPWATCH = Stopwatch()

# For tests that do not choose a number of examples themselves: `short` for people, `long` for nights. How long one
# takes says how busy the machine is, and nothing of what is tested.
for profile, examples in {"short": 100, "long": 5000}.items():
    settings.register_profile(
        profile, max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("DEPLOYD_HYPOTHESIS", "short"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files are handed out in this order (`--no-loadscope-reorder`); each keeps its own."""
    kept = read_durations()
    items.sort(key=lambda item: -expected_seconds(file_of(item.nodeid), kept))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    STOPWATCH.add(report.nodeid, report.duration)


@pytest.fixture(scope="session", autouse=True)
def a_loop_that_is_closed() -> Iterator[None]:
    """pytest-asyncio asks for the thread's event loop before it sets its own, and Python 3.11 then makes one that
    nobody closes: a ResourceWarning in whichever test the garbage collector runs. Here it is made, and closed."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """Programs that a shell starts in the background ignore SIGINT, and so would those that we start and interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MEASURED.parent.is_dir() and STOPWATCH.has_seen(read_durations()):   # all tests were run
        MEASURED.write_text(STOPWATCH.table())
    for report in terminalreporter.stats.get("passed", []):
        for name, text in report.user_properties:
            if name == SHOWN_AT_THE_END:
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line(text)
