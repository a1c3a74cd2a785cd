"""A build in stages: steps whose result a later build may take over, what these are made of, and the rest. Pure.

Only what deployd itself runs makes stages that are kept: dependencies, flavors, the commands at the beginning of a hook
that are known to install packages, and the recipe's steps. They come first, each before anybody else has touched the
files. From the first step on that may do anything, nothing is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from deployd.runtimes.runtime import BuildStep

EVERYTHING = ".*"


@dataclass(frozen=True, slots=True)
class Kept:
    """How the result of a stage is found again."""

    name: str
    """`packages`; unique among the stages of a build."""
    inputs: str = ""
    """A regular expression for the paths, from the application's root, of files that it depends on; "": of none."""
    but_for: str = ""
    """Of these, the ones that it does not depend on."""
    after: tuple[str, ...] = ()
    """Names of stages whose results it reads."""
    outputs: tuple[str, ...] = ()
    """Files and folders that it may have written for its result to be kept; (): anything."""
    names: str = ""
    """A regular expression for further files, of which it depends on which there are."""
    record: str = ""
    """A file that its steps leave, with the paths of further files that they read, one a line; it is no part of the
    result."""

    def depends_on(self, path: str) -> bool:
        """Whether a file of the repository has a part in the result."""
        return re.fullmatch(self.inputs, path) is not None and not re.fullmatch(self.but_for, path)


@dataclass(frozen=True, slots=True)
class Stage:
    title: str
    """For people: `composer's packages`."""
    steps: tuple[BuildStep, ...]
    kept: Kept | None = None
    why_not: str = ""
    """Why its result is not kept."""
    before: str = ""
    """A script that its steps need to have run in their container; it writes nothing into the application."""


@dataclass(frozen=True, slots=True)
class StagedBuild:
    begin: tuple[BuildStep, ...]
    """What each container of the build begins with; nothing of it is written into the application."""
    stages: tuple[Stage, ...]

    @property
    def steps(self) -> tuple[BuildStep, ...]:
        """All of them, when nothing is taken over."""
        return (*self.begin, *(step for stage in self.stages for step in stage.steps))


@dataclass(frozen=True, slots=True)
class Segment:
    """What one container of a build runs."""

    number: int
    steps: tuple[BuildStep, ...]
    stage: Stage | None = None
    """Whose result is kept; None: it is the rest of the build."""
    before: str = ""


def kept_at_the_beginning(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """The same stages; after one that is not kept, none is."""
    found: list[Stage] = []
    first = ""
    for stage in stages:
        if first and stage.kept is not None:
            stage = replace(stage, kept=None, why_not=f"it comes after {first}, which may change any file")
        if stage.kept is None and stage.steps:
            first = first or stage.title
        found.append(stage)
    return tuple(found)


def segments(build: StagedBuild, kept: frozenset[str]) -> tuple[Segment, ...]:
    """One for each stage whose result is kept, and one for the rest, which may be empty.

    Args:
        kept: Names of stages; all others are of the rest.
    """
    first = [stage for stage in build.stages if stage.kept is not None and stage.kept.name in kept]
    rest = [stage for stage in build.stages if stage not in first]
    begin = "".join(f"(\n{step.script}\n) >/dev/null || exit\n" for step in build.begin)
    found = [
        Segment(number, stage.steps, stage, begin + stage.before) if number
        else Segment(number, (*build.begin, *stage.steps), stage, stage.before)
        for number, stage in enumerate(first)
    ]
    steps = tuple(step for stage in rest for step in stage.steps)
    if not first:
        return (Segment(0, (*build.begin, *steps)),)
    before = next((stage.before for stage in rest if stage.steps), "")
    return (*found, Segment(len(found), steps, None, begin + before))
