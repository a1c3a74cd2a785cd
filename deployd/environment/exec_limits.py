"""What Linux lets a program begin with: nothing is started with one value too long, or with too much in all. Pure.

An exec that breaks this ends with E2BIG, which containers tell in words that name neither the variable nor the size; so
it is looked at before anything starts. (fs/exec.c: `copy_strings` and `bprm_stack_limits`.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MOST_VALUE_BYTES = 131_072
"""MAX_ARG_STRLEN: 32 pages, with the name, the `=` and the zero at the end. Of one argument too."""
MOST_ALL_BYTES = 2 * 1024 * 1024
"""Of arguments and environment together: a quarter of a stack's 8 MB, Docker's limit as everybody's."""
KEPT_BYTES = 131_072
"""Of that, for arguments, and for what shells and `.environment` add."""
POINTER_BYTES = 8


@dataclass(frozen=True, slots=True)
class Beyond:
    """One thing that is too large to begin with."""

    name: str
    """Of the variable; "" for all of them together."""
    size_bytes: int
    most_bytes: int
    largest: tuple[str, ...] = ()
    """Names of the largest variables, when it is all of them together."""


def value_bytes(name: str, value: str) -> int:
    """What a variable takes."""
    return len(name.encode()) + len(value.encode()) + 2


def beyond_limits(environment: Mapping[str, str]) -> list[Beyond]:
    """Each variable that is too long, else all of them together when they are too much."""
    sizes = {name: value_bytes(name, value) for name, value in environment.items()}
    found = [Beyond(name, size, MOST_VALUE_BYTES) for name, size in sizes.items() if size > MOST_VALUE_BYTES]
    total = sum(sizes.values()) + POINTER_BYTES * len(sizes)
    if found or total <= MOST_ALL_BYTES - KEPT_BYTES:
        return found
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    return [Beyond("", total, MOST_ALL_BYTES - KEPT_BYTES, tuple(f"{name} {sizes[name]:,}" for name in largest))]
