"""The levels of tests: each stands on `tests/support` and `tests/doubles`, and on no other level."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
REPOSITORY = TESTS.parent
LEVELS = ("unit", "property", "integration", "e2e", "hostile", "chaos", "systemd", "bench")
SHARED = ("support", "doubles")
ONLY_TESTS = ("unit", "property", "integration", "e2e", "hostile")
"""The others are programs as well, which have files of their own."""
NAMED = re.compile(r"""(?:\b(?:from|import)\s+|["'])tests\.(\w+)""")
"""A module of the tests that a file imports, or names in a text (`python -m tests.support.kill_points`)."""


def folders_named(folder: str) -> set[tuple[str, str]]:
    return {
        (str(file.relative_to(TESTS)), named)
        for file in (TESTS / folder).rglob("*.py") for named in NAMED.findall(file.read_text())
    }


def test_every_folder_is_a_level_or_shared() -> None:
    there = {file.relative_to(TESTS).parts[0] for file in TESTS.glob("*/**/*.py")}
    assert there == {*LEVELS, *SHARED}


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_knows_no_other_level(level: str) -> None:
    assert {(file, folder) for file, folder in folders_named(level) if folder not in (level, *SHARED)} == set()


@pytest.mark.parametrize("folder", SHARED)
def test_what_levels_share_knows_no_level(folder: str) -> None:
    assert {(file, other) for file, other in folders_named(folder) if other not in SHARED} == set()


@pytest.mark.parametrize("level", ONLY_TESTS)
def test_what_is_no_test_is_not_beside_tests(level: str) -> None:
    files = [file for file in (TESTS / level).rglob("*.py") if not file.name.startswith("test_")]
    assert [str(file.relative_to(TESTS)) for file in files if file.name != "conftest.py"] == []


def test_no_two_files_of_tests_have_one_name() -> None:
    """They are modules to pytest, whatever folder they lie in."""
    names = [file.name for level in LEVELS for file in (TESTS / level).rglob("test_*.py")]
    assert {name for name in names if names.count(name) > 1} == set()


def test_pages_name_tests_that_are_there() -> None:
    level, pages = "|".join(LEVELS), [*REPOSITORY.glob("docs/*.md"), REPOSITORY / "CONTRIBUTING.md"]
    named = {
        (page.name, name) for page in pages
        for name in re.findall(rf"\b((?:{level})/[\w/]+\.py)\b", page.read_text())
    }
    assert len(named) > 20
    assert sorted((page, name) for page, name in named if not (TESTS / name).is_file()) == []
