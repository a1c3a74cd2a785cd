"""docs/architecture.md says of every room what is in it, and names nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "deployd"
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text()
ROOMS = {
    path.name for path in PACKAGE.iterdir()
    if (path.is_dir() and (path / "__init__.py").exists()) or (path.suffix == ".py" and not path.stem.startswith("__"))
}


def test_every_room_has_its_paragraph() -> None:
    assert set(re.findall(r"^\| `([\w.]+)` \|", PAGE, re.M)) == ROOMS


def test_every_file_that_is_named_is_there() -> None:
    named = {name.rstrip("/") for name in re.findall(r"(?:`|─► )((?:[\w.]+/)+[\w.]*)", PAGE)}
    assert len(named) > 30
    bases = (PACKAGE, REPOSITORY)
    assert sorted(name for name in named if not any((base / name).exists() for base in bases)) == []


def test_who_adds_something_is_told_where_in_one_sentence() -> None:
    rows = dict(re.findall(r"^\| (an? [\w ]+) \| (.+) \|$", PAGE, re.M))
    assert rows.keys() == {
        "a service", "a runtime", "a forge", "a step", "a kind of activity", "a command", "an API resource", "a page",
        "an engine",
    }


def test_unit_tests_lie_as_the_rooms_do() -> None:
    folders = {path.name for path in Path(__file__).parent.iterdir() if path.is_dir()}
    assert folders - ROOMS - {"__pycache__"} == {"expected", "support"}


def test_activities_come_to_be_in_one_place() -> None:
    makers = [str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if "NewActivity(" in path.read_text()]
    assert makers == ["deployment/requests.py"]
