"""What a build runs: dependencies, build flavor, build hook, in this order (configuration format 8.2). Pure.

Each step is a dash script of its own, run in /app by the ordinary user; its status is its last command's. Raise
RECIPE_VERSION when a change here should make every slug anew.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace

from deployd.project.application.hook_lines import split_hook
from deployd.project.model import NOWHERE, Application, Hook
from deployd.runtimes import caches
from deployd.runtimes.installing import ONLY_PACKAGES, global_dependencies, installing, of_hook
from deployd.runtimes.known import KNOWN, runtime_of
from deployd.runtimes.magento.program import is_recipe_alone, with_recipe
from deployd.runtimes.magento.stages import optimizes_later, recipe_stages
from deployd.runtimes.nodejs import default as npm
from deployd.runtimes.php import QUICK_OPTIONS, composer
from deployd.runtimes.runtime import BuildStep
from deployd.runtimes.stack import look_beside
from deployd.runtimes.stages import Stage, StagedBuild, kept_at_the_beginning

RECIPE_VERSION = 2

FLAVORS = {name: step for runtime in reversed(KNOWN.values()) for name, step in runtime.flavors.items()}
"""Of whichever runtime, for applications of another one; of one name the first runtime's."""


def build_steps(app: Application) -> tuple[BuildStep, ...]:
    """The steps of an application's build, in order; none when there is nothing to do."""
    return staged_build(app).steps


def staged_build(app: Application) -> StagedBuild:
    """The same, in stages."""
    begin = (
        *_at(app, runtime_of(app).settings(app), "runtime.extensions", "runtime"),
        *_at(app, look_beside(app), "stack"),
    )
    return StagedBuild(begin, kept_at_the_beginning(_stages(app)))


def _stages(app: Application) -> Iterator[Stage]:
    yield Stage("build.caches", tuple(_at(app, caches.restore(app), "build.caches")))
    known = all(KNOWN[language].dependencies for language in app.dependencies if language in KNOWN)
    can_be_kept = known and app.dependencies.keys() <= KNOWN.keys()
    yield from global_dependencies(_dependencies(app), can_be_kept=can_be_kept)
    yield from _flavor(app)
    if app.hooks.build is not None:
        yield from _build_hook(app, app.hooks.build)
    yield Stage("build.caches", tuple(_at(app, caches.keep(app), "build.caches")))


def _dependencies(app: Application) -> Iterator[BuildStep]:
    for language, packages in app.dependencies.items():
        installs = KNOWN[language].dependencies if language in KNOWN else None
        if installs is not None:
            yield from _at(app, installs(packages), f"dependencies.{language}")
        else:
            yield _cannot(f"dependencies of {language}", "the package managers here are composer, npm, pip and gem")


def _flavor(app: Application) -> Iterator[Stage]:
    flavor = runtime_of(app).flavors.get(app.build.flavor) or FLAVORS.get(app.build.flavor)
    install = next((item for item in app.installs if not item.command), None)
    if flavor is composer:
        and_then = {"and_then": ""} if app.magento is not None else {}   # the recipe has patches in their order
        options = {"options": QUICK_OPTIONS} if optimizes_later(app) else {}
        only = composer("", f"{QUICK_OPTIONS} {ONLY_PACKAGES}").script
        step, = _at(app, [composer(**and_then, **options)], "build.flavor", "build")
        yield from installing(install, step, only)
    elif flavor is not None:
        step, = _at(app, [flavor()], "build.flavor", "build")
        yield from installing(install if flavor is npm else None, step, "")
    elif app.build.flavor != "none":
        step = _cannot(f"the build flavor {app.build.flavor}", "set `build.flavor: none` and build in the build hook")
        yield Stage(step.title, (step,))


def _build_hook(app: Application, hook: Hook) -> Iterator[Stage]:
    place = hook.place if hook.place != NOWHERE else None
    if is_recipe_alone(app, hook.script):
        yield from recipe_stages(app, place)
        return
    script = hook.script
    installs = [item for item in app.installs if item.command]
    if installs:
        yield from of_hook(installs, place)
        script = split_hook(script).rest
    if script:
        yield Stage("the build hook", (BuildStep("the build hook", with_recipe(app, "build", script), place),))


def _at(app: Application, steps: Iterable[BuildStep], *keys: str) -> Iterator[BuildStep]:
    """Steps with the place of the first of these keys that is written; else of the type, which brings them."""
    place = next((app.places[key] for key in keys if key in app.places), app.type_place)
    return (replace(step, place=None if place == NOWHERE else place) for step in steps)


def _cannot(what: str, hint: str) -> BuildStep:
    """A step that ends the build with a sentence."""
    return BuildStep(what, f"echo {shlex.quote(f'deployd cannot run {what}: {hint}')} >&2\nexit 1\n")


__all__ = ["RECIPE_VERSION", "BuildStep", "build_steps", "staged_build"]
