"""Attending to a command whose streams somebody has, until it is over or they have gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from deployd.engine.engine import RunningCommand
from deployd.errors import DeployError
from deployd.inside.asked import read_size
from deployd.ssh.link_server import Question

SIGNALS = frozenset({"HUP", "INT", "QUIT", "TERM", "KILL", "USR1", "USR2", "ALRM", "PIPE"})
"""Of RFC 4254, those that end something or are heard."""
LONGEST_DID = 300
KEEP_SECONDS = 0.05
ALLOWED_SECONDS = 3.0
"""Between two looks whether somebody may be there still."""


@dataclass(slots=True)
class Outcome:
    status: int | None = None
    """None: whoever asked for it has gone, or how it ended is not known."""
    error: DeployError | None = None
    """Why it is not known."""
    did: str = ""
    """What it did, as whoever has its streams says."""
    is_handed_over: bool = False
    """It goes on, and another one attends to it."""


async def until_over(
    question: Question, command: RunningCommand, refusal: Callable[[], DeployError | None],
    keep: Callable[[], Awaitable[None]], handed_over: asyncio.Event,
) -> Outcome:
    """
    Args:
        refusal: Why whoever it is may not be there any more; None: they may.
        keep: Writes down that they are, for a daemon after us; most commands are over before that is worth while.
        handed_over: Set when somebody else is to go on with it.
    """
    outcome = Outcome()
    async with asyncio.TaskGroup() as group:
        tasks = (
            group.create_task(_wait(question, command, outcome), name="ssh: the end of a command"),
            group.create_task(question.left.wait(), name="ssh: whether somebody is there"),
            group.create_task(_while_allowed(refusal, outcome), name="ssh: whether they may be there"),
            group.create_task(handed_over.wait(), name="ssh: whether another one attends to it"),
        )
        keeping = group.create_task(_keep(keep), name="ssh: that somebody is there")
        hearing = group.create_task(_hear(question, command, outcome), name="ssh: what is told to a command")
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, hearing):
            task.cancel()
        keeping.cancel()
    outcome.is_handed_over = _is_handed_over(question, handed_over, outcome)
    if outcome.is_handed_over:
        with suppress(DeployError):
            await keep()
    return outcome


async def until_left(
    question: Question, refusal: Callable[[], DeployError | None], handed_over: asyncio.Event,
) -> Outcome:
    """As `until_over`, of what has no command: a tunnel."""
    outcome = Outcome()
    async with asyncio.TaskGroup() as group:
        tasks = (
            group.create_task(question.left.wait(), name="ssh: whether somebody is there"),
            group.create_task(_while_allowed(refusal, outcome), name="ssh: whether they may be there"),
            group.create_task(handed_over.wait(), name="ssh: whether another one attends to it"),
        )
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
    outcome.is_handed_over = _is_handed_over(question, handed_over, outcome)
    return outcome


def _is_handed_over(question: Question, handed_over: asyncio.Event, outcome: Outcome) -> bool:
    is_over = outcome.status is not None or outcome.error is not None or question.left.is_set()
    return handed_over.is_set() and not is_over


async def _wait(question: Question, command: RunningCommand, outcome: Outcome) -> None:
    try:
        await command.wait_until_over()
        await question.tell(over=True)       # so that nobody keeps its streams open for more
        outcome.status = await command.wait()
    except DeployError as error:
        outcome.error = error


async def _keep(keep: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(KEEP_SECONDS)
    with suppress(DeployError):              # a database that cannot be written ends nobody's session
        await keep()


async def _while_allowed(refusal: Callable[[], DeployError | None], outcome: Outcome) -> None:
    while (error := refusal()) is None:   # noqa: ASYNC110  people are given other roles at any time
        await asyncio.sleep(ALLOWED_SECONDS)
    outcome.error = error


async def _hear(question: Question, command: RunningCommand, outcome: Outcome) -> None:
    while (said := await question.told()) is not None:
        with suppress(DeployError):          # the engine is away: its end is noticed beside
            if "columns" in said:
                await command.resize(read_size(said))
            elif str(said.get("signal")) in SIGNALS:
                await command.send_signal(f"SIG{said['signal']}")
            elif "did" in said:
                outcome.did = str(said["did"])[:LONGEST_DID]
