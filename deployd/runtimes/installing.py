"""Stages that install packages: by a flavor, by the first lines of a build hook, and global dependencies. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from deployd.project.application.python_inputs import MODULES
from deployd.project.model import Place
from deployd.project.model.installs import Install
from deployd.runtimes.runtime import BuildStep
from deployd.runtimes.stages import Kept, Stage

DEPENDENCIES, PACKAGES, AUTOLOADER = "dependencies", "packages", "autoloader"
GEMS = r"[^/]+\.gem"
"""`gem install` takes one that lies in the application's root before it asks anybody else."""
CODE_OF_PHP = r".*\.(?:php|inc|hh)"
"""Files in which composer looks for classes."""
OPTIMIZES = re.compile(r" (?:-[nqv]*o[noqv]*|--optimize-autoloader)(?: |$)", re.MULTILINE)
ONLY_PACKAGES = "--no-scripts --no-autoloader"


def global_dependencies(steps: Iterable[BuildStep], *, can_be_kept: bool) -> Iterator[Stage]:
    """Of all languages together: each installs into the same folder, and one may use what another one brought."""
    found = tuple(steps)
    if found:
        inputs = f"{MODULES}|{GEMS}"
        yield Stage("global dependencies", found, Kept(DEPENDENCIES, inputs) if can_be_kept else None)


def installing(
    install: Install | None, step: BuildStep, packages_only: str, *, name: str = PACKAGES,
    after: tuple[str, ...] = (DEPENDENCIES,),
) -> Iterator[Stage]:
    """The stages of one installing step.

    Args:
        install: What is known of its files; None: nothing.
        step: The whole of it.
        packages_only: Its script without scripts of the project and without the autoloader, for composer.
        name: Of the stage that is kept.
        after: Stages that it stands on.
    """
    if install is None or install.why_not:
        yield Stage(step.title, (step,), None, install.why_not if install else "")
        return
    whole = Kept(name, install.inputs, after=after)
    scans_code = install.scans_code or OPTIMIZES.search(step.script) is not None
    if install.tool != "composer" or not (install.scripts_after or scans_code):
        yield Stage(f"{install.tool}'s packages", (step,), whole)
        return
    first = BuildStep(f"{install.tool}'s packages", packages_only, step.place, may_fail=step.may_fail)
    yield Stage(first.title, (first,), whole)
    if install.scripts_after:
        yield Stage(step.title, (step,), None, "scripts of composer.json may read any file")
    else:
        inputs = f"{install.inputs}|{CODE_OF_PHP}"
        yield Stage("composer's autoloader", (step,), Kept(f"{AUTOLOADER}{name.removeprefix(PACKAGES)}", inputs,
                                                           after=(*after, name)))


def of_hook(installs: Iterable[Install], place: Place | None) -> Iterator[Stage]:
    """The stages of the commands with which a build hook begins."""
    after = [DEPENDENCIES]
    for number, install in enumerate(installs):
        title = f"the build hook's `{install.command}`"
        step = BuildStep(title, f"{install.command}\n", place, may_fail=install.may_fail)
        only = f"{install.command} {ONLY_PACKAGES}\n"
        name = f"{PACKAGES}-{number}" if number else PACKAGES
        yield from installing(install, step, only, name=name, after=tuple(after))
        after += [name, name.replace(PACKAGES, AUTOLOADER)]
