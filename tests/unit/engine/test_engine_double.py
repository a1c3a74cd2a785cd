"""The double keeps what every engine promises: who tests with it tests against the same engine as in production."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.engine.specs import RunAs
from tests.doubles.engine import EngineDouble
from tests.doubles.programs import Program
from tests.support import engine_contract as contract

pytestmark = pytest.mark.looptime


def tells(run_as: RunAs, stdin: bytes) -> Program:
    said = f"{stdin.decode()}{run_as.environment['WHO']} {run_as.user} {run_as.working_folder}\n"
    return Program(said, "bad\n", status=7)


PROGRAMS = {
    contract.WAITS: Program("begun\n", seconds=None, on_signal={"SIGTERM": ("", 0)}),
    contract.DEAF: Program("begun\n", seconds=None, ignores=frozenset({"SIGTERM"})),
    contract.FAILS: Program("no\n", "never\n", status=3),
    contract.HEARS: Program("begun\n", seconds=None, on_signal={"SIGUSR1": ("got", 5)}),
    contract.SERVES: Program("begun\n", seconds=None, listens=frozenset({contract.PORT, contract.SOCKET})),
    contract.TELLS: tells,
    contract.TAKES_LONG: Program(seconds=4321),
    contract.EATS: Program(status=137, fills_memory=True),
    contract.UNWELL: Program(status=1),
}


def test_what_is_asked_of_an_engine_names_none() -> None:
    """So that another one can keep it: whose words they are shows as soon as one is written down."""
    room = Path(__file__).parents[3] / "deployd" / "engine"
    assert [path.name for path in room.glob("*.py") if "docker" in path.read_text().lower()] == []


class TestTheDouble(contract.EngineContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> EngineDouble:
        engine = EngineDouble(tmp_path, images=[contract.IMAGE])
        engine.programs.update(PROGRAMS)
        return engine

    @pytest.fixture
    def away(self, engine: EngineDouble) -> EngineDouble:
        engine.reachable = False
        return engine
