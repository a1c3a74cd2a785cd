"""The order in which files of tests are begun."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests import conftest
from tests.support.longest_first import REPOSITORY, Stopwatch, read_durations


def test_every_file_of_the_table_is_there() -> None:
    assert [name for name in read_durations() if not (REPOSITORY / name).is_file()] == []


def test_the_longest_file_comes_first_and_each_keeps_its_own_order() -> None:
    seconds = read_durations()
    longest = max(seconds, key=lambda name: seconds[name])
    second = next(name for name in seconds if seconds[name] < seconds[longest])
    names = ["tests/unit/test_quick.py::b", f"{second}::b", f"{second}::a", "tests/unit/test_quick.py::a",
             f"{longest}::one"]
    names.insert(1, "tests/e2e/test_new.py::a")
    items: Any = [SimpleNamespace(nodeid=name) for name in names]
    conftest.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == [
        f"{longest}::one", f"{second}::b", f"{second}::a", "tests/e2e/test_new.py::a", "tests/unit/test_quick.py::b",
        "tests/unit/test_quick.py::a"]


def test_what_is_measured_is_told_by_file_and_quick_ones_are_left_out() -> None:
    watch = Stopwatch()
    for name, seconds in (("a.py::x", 3.0), ("b.py::x", 9.0), ("a.py::y", 4.0), ("c.py::x", 1.0)):
        watch.add(name, seconds)
    assert watch.has_seen(["a.py", "c.py"])
    assert not watch.has_seen(["a.py", "d.py"])
    assert watch.table() == "     9 b.py\n     7 a.py\n"
