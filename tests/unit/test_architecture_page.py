"""docs/architecture.md says of every room what is in it, and names nothing that is not there."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployd.forges.known import FORGES
from deployd.project.offered.runtimes import RUNTIMES

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
        "a service", "a runtime", "a forge", "a step", "a kind of activity", "a command", "a setting",
        "an API resource", "a page", "an engine", "a step of the recipe for Magento",
    }


def test_unit_tests_lie_as_the_rooms_do() -> None:
    folders = {path.name for path in Path(__file__).parent.iterdir() if path.is_dir()}
    assert folders - ROOMS - {"__pycache__"} == {"expected", "support"}


def test_nobody_but_who_opens_it_may_know_docker() -> None:
    """And of the command line only `deployd doctor`: the contract says so of every file, also of a room that is new."""
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [found] = [item for item in contracts if item["name"] == "Docker is one engine"]
    assert (found["type"], found["protected_modules"]) == ("protected", ["deployd.engine.docker"])
    assert set(found["allowed_importers"]) == {"deployd.cli.doctor.docker", "deployd.daemon.resources"}
    assert "ignore_imports" not in found
    importers = {
        str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(PACKAGE / "engine" / "docker") and "from deployd.engine.docker" in path.read_text()
    }
    assert importers == {"cli/doctor/docker.py", "daemon/resources.py"}


def test_activities_come_to_be_in_one_place() -> None:
    makers = [str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if "NewActivity(" in path.read_text()]
    # What takes a bad release back, and what an operation committed, come in the transaction in which an activity ends.
    assert sorted(makers) == ["deployment/bad_release.py", "deployment/requests.py", "deployment/source_operation.py"]


@pytest.mark.parametrize(("names", "rooms"), [
    (FORGES, ("forges",)), (RUNTIMES, ("runtimes", "project/offered")),
], ids=("forges", "runtimes"))
def test_nobody_asks_for_a_forge_or_a_runtime_by_its_name(names: dict[str, object], rooms: tuple[str, ...]) -> None:
    own = tuple(PACKAGE / room for room in rooms)
    others = [path for path in PACKAGE.rglob("*.py") if not any(path.is_relative_to(room) for room in own)]
    assert [f"{path.relative_to(PACKAGE)}: {text}" for path in others for text in texts_of(path) if text in names] == []


def texts_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
