"""What every test has around it."""

import asyncio
import signal
from collections.abc import Iterator

import pytest


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
