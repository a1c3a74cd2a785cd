"""One word, one meaning: what a megabyte is, and what a code of an error says."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import deployd
from deployd.errors import DeployError
from deployd.units import MEGABYTE, megabytes

ROOT = Path(deployd.__file__).parent
OTHER_MEGABYTES = re.compile(
    r"MEGABYTE\s*=|/\s*(1e6|10\*\*6).*MB|_mb\W{1,4}\*\s*(1_000_000|1024\s*\*)|//\s*(1_000_000|1024\*\*2)",
)
"""Ways in which one could be something else."""


def test_a_megabyte_is_said_once() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}" for file in ROOT.rglob("*.py") if file != ROOT / "units.py"
        for line in file.read_text().splitlines() if OTHER_MEGABYTES.search(line)
    ]
    assert found == []
    assert megabytes(3 * MEGABYTE) == 3


def classes(of: type[DeployError]) -> Iterator[type[DeployError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from classes(kind)


def test_a_code_is_said_by_one_class_and_those_that_are_kinds_of_it() -> None:
    for module in pkgutil.walk_packages(deployd.__path__, "deployd."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    by_code = defaultdict(set)
    for kind in classes(DeployError):
        if kind.__module__.startswith("deployd.") and "code" in vars(kind):
            by_code[kind.code].add(f"{kind.__module__}.{kind.__qualname__}")
    assert len(by_code) > 90
    assert {code: sorted(kinds) for code, kinds in by_code.items() if len(kinds) > 1} == {}
