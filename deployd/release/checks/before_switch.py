"""Smoke tests that are asked of a new version before it has a single visitor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.errors import DeployError
from deployd.project.model import SmokeTest
from deployd.release.checks.smoke import Answered, ask_all
from deployd.release.ports import Host
from deployd.release.release import Release

AGAIN_SECONDS = 1.0
TRIES = 3
"""Of an answer that is not as it should be. One that does not come yet is waited for as long as `answer_seconds`."""


class SmokeTestFailed(DeployError):
    """A new version does not pass a smoke test, and does not become live."""

    code: ClassVar[str] = "smoke-test-failed"


async def refuse_failing(
    tests: Sequence[SmokeTest], release: Release, host: Host, tell: Tell, patience_seconds: float,
) -> None:
    """
    Args:
        patience_seconds: For answers that do not come yet.

    Raises:
        SmokeTestFailed: One of them does not pass.
    """
    loop = asyncio.get_running_loop()
    ends, tries, left = loop.time() + patience_seconds, 0, list(tests)
    while True:
        failed = [answer for answer in await ask_all(left, release, host) if not answer.is_well]
        if not failed:
            break
        left = [answer.test for answer in failed]
        tries += not any(answer.may_come for answer in failed)
        if tries >= TRIES or loop.time() >= ends:
            raise _error(failed)
        await asyncio.sleep(AGAIN_SECONDS)
    tell.line(f"smoke tests before the switch passed: {', '.join(test.name for test in tests)}")


def _error(failed: Sequence[Answered]) -> SmokeTestFailed:
    one = failed[0]
    return SmokeTestFailed(
        f"the smoke test {one.test.name} fails before the switch: {one.why}", where=str(one.test.place),
        evidence=one.lines,
        hint="the version before goes on; a test with `before_switch` is asked on the database as it is,"
             " before the deploy hook has run",
    )
