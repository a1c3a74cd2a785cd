"""What a build runs: dependencies, build flavor, build hook, in this order (configuration format 8.2). Pure.

Each step is a dash script of its own, run in /app by the ordinary user; its status is its last command's. Raise
RECIPE_VERSION when a change here should make every slug anew.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace

from deployd.project.model import NOWHERE, Application, Hook
from deployd.runtimes import caches
from deployd.runtimes.known import KNOWN, runtime_of
from deployd.runtimes.magento.program import is_recipe_alone, lay_out, step_script, with_recipe
from deployd.runtimes.magento.recipe import BUILD
from deployd.runtimes.php import composer
from deployd.runtimes.runtime import BuildStep
from deployd.runtimes.stack import look_beside

RECIPE_VERSION = 2

FLAVORS = {name: step for runtime in reversed(KNOWN.values()) for name, step in runtime.flavors.items()}
"""Of whichever runtime, for applications of another one; of one name the first runtime's."""


def build_steps(app: Application) -> tuple[BuildStep, ...]:
    """The steps of an application's build, in order; none when there is nothing to do."""
    return tuple(_steps(app))


def _steps(app: Application) -> Iterator[BuildStep]:
    yield from _at(app, runtime_of(app).settings(app), "runtime.extensions", "runtime")
    yield from _at(app, look_beside(app), "stack")
    yield from _at(app, caches.restore(app), "build.caches")
    for language, packages in app.dependencies.items():
        installs = KNOWN[language].dependencies if language in KNOWN else None
        if installs is not None:
            yield from _at(app, installs(packages), f"dependencies.{language}")
        else:
            yield _cannot(f"dependencies of {language}", "the package managers here are composer, npm, pip and gem")
    flavor = runtime_of(app).flavors.get(app.build.flavor) or FLAVORS.get(app.build.flavor)
    if app.magento is not None and flavor is composer:
        yield from _at(app, [composer(and_then="")], "build.flavor", "build")   # the recipe has patches in their order
    elif flavor is not None:
        yield from _at(app, [flavor()], "build.flavor", "build")
    elif app.build.flavor != "none":
        yield _cannot(f"the build flavor {app.build.flavor}", "set `build.flavor: none` and build in the build hook")
    if app.hooks.build is not None:
        yield from _build_hook(app, app.hooks.build)
    yield from _at(app, caches.keep(app), "build.caches")


def _build_hook(app: Application, hook: Hook) -> Iterator[BuildStep]:
    place = hook.place if hook.place != NOWHERE else None
    if not is_recipe_alone(app, hook.script):
        yield BuildStep("the build hook", with_recipe(app, "build", hook.script), place)
        return
    why = app.magento.why if app.magento else ""
    yield BuildStep(f"the recipe for Magento, because {why}", lay_out(app), place)
    for number, step in enumerate(BUILD, 1):
        yield BuildStep(f"the recipe's step `{step.title}`", step_script("build", number), place)


def _at(app: Application, steps: Iterable[BuildStep], *keys: str) -> Iterator[BuildStep]:
    """Steps with the place of the first of these keys that is written; else of the type, which brings them."""
    place = next((app.places[key] for key in keys if key in app.places), app.type_place)
    return (replace(step, place=None if place == NOWHERE else place) for step in steps)


def _cannot(what: str, hint: str) -> BuildStep:
    """A step that ends the build with a sentence."""
    return BuildStep(what, f"echo {shlex.quote(f'deployd cannot run {what}: {hint}')} >&2\nexit 1\n")


__all__ = ["RECIPE_VERSION", "BuildStep", "build_steps"]
