"""docs/deployment.md shows the tables as they are."""

from pathlib import Path

import pytest

from deployd.activity.table import NO_WAY_BACK, NOTHING, Restart, Step
from deployd.deployment.kinds import KINDS

TABLES = [kind.tables[0] for kind in KINDS.values() if kind.tables[0].name == kind.name]
"""The others leave out steps of these."""
PAGE = Path(__file__).parents[3] / "docs" / "deployment.md"
RESTART = {Restart.AGAIN: "done again", Restart.ATTACH: "re-attached"}


def row(step: Step) -> str:
    undone = "nothing to undo" if step.undone_by is NOTHING else "**no way back**"
    name = f"`{step.name}`"
    if step.undone_by not in (NOTHING, NO_WAY_BACK):
        undone = f"`{step.undone_by.__name__}`"
    if step.parallel is not None:
        name += f", beside it `{step.parallel.do.__name__}`"
        undone += f", `{step.parallel.undone_by.__name__}`" if step.parallel.undone_by is not NOTHING else ""
    seconds = step.limit_seconds
    limit = f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    waits = ""
    if step.admission is not None:
        waits = ", ".join(filter(None, (f"a slot for {step.admission.pool.value}", step.admission.words)))
    cells = (step.phase, name, undone, limit, step.visitors.value, RESTART[step.after_restart], waits or "nothing")
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_page_shows_every_step_in_its_order(table: object) -> None:
    assert "\n".join(row(step) for step in table.steps) in PAGE.read_text()  # type: ignore[attr-defined]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_makes_sense(table: object) -> None:
    steps: tuple[Step, ...] = table.steps  # type: ignore[attr-defined]
    names = [step.name for step in steps]
    assert len(set(names)) == len(names), "the journal knows steps by their names"
    closing = [place for place, step in enumerate(steps) if step.undone_by is NO_WAY_BACK]
    assert len(closing) == 1
    assert all(step.undone_by is NOTHING for step in steps[closing[0] + 1:]), "after the switch nothing is undone"
    assert all(step.undone_by is not NOTHING for step in steps if step.after_restart is Restart.ATTACH
               and steps.index(step) < closing[0]), "what goes on by itself has to be ended"
    assert all(step.undone_by not in (NOTHING, NO_WAY_BACK) for step in steps
               if step.parallel is not None and step.parallel.undone_by is not NOTHING
               ), "both are undone, or nothing is"


def test_every_table_stands_on_the_page_or_leaves_out_steps_of_one() -> None:
    shown = {step.name for table in TABLES for step in table.steps}
    assert {step.name for kind in KINDS.values() for step in kind.tables[0].steps} == shown
