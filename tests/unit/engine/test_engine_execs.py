"""A command that Docker has not started yet has not ended: its input must not be taken from it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.engine.docker import execs

CONTAINER = "c" * 64
BEFORE = {"Running": False, "ExitCode": None, "Pid": 0, "ContainerID": CONTAINER}
STARTING = {**BEFORE, "Running": True}
RUNS = {**STARTING, "Pid": 4_000_000}
ENDED = {**RUNS, "Running": False, "ExitCode": 0}


class Exec:
    def __init__(self, *states: dict[str, Any]) -> None:
        self.states = list(states)
        self.docker = SimpleNamespace(containers=SimpleNamespace(container=lambda _: self))

    async def inspect(self) -> dict[str, Any]:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    async def show(self) -> dict[str, Any]:
        return {"State": {"Pid": 1}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execs, "QUIET_SECONDS", 0.001)


async def looked(monkeypatch: pytest.MonkeyPatch, lives: list[bool], *states: dict[str, Any]) -> bool:
    """Whether the connection was closed within a while."""
    monkeypatch.setattr(execs, "_lives_in", lambda pid, _: pid == 1 or lives.pop(0) if len(lives) > 1 else lives[0])
    closed: list[bool] = []
    writer: Any = SimpleNamespace(transport=SimpleNamespace(abort=lambda: closed.append(True)))
    command: Any = Exec(*states)
    try:
        async with asyncio.timeout(0.2):
            await execs._close_when_ended(command, writer, b"input", [0])
    except TimeoutError:
        return False
    return closed == [True]


@pytest.mark.parametrize("state", [BEFORE, STARTING])
async def test_one_that_has_not_begun_keeps_its_input(monkeypatch: pytest.MonkeyPatch, state: dict[str, Any]) -> None:
    assert not await looked(monkeypatch, [True], state)
    assert await looked(monkeypatch, [True], state, state, state, ENDED)


async def test_one_that_has_ended_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await looked(monkeypatch, [True], ENDED)


async def test_one_that_runs_keeps_its_input_and_one_whose_process_is_gone_lets_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not await looked(monkeypatch, [True], RUNS)
    assert await looked(monkeypatch, [True, False], RUNS)
