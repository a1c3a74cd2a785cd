"""Runtimes of a `stack` of which each image has one: whether it is the one that is asked for. Pure.

The others are packages of `dependencies` by the time an application is read (`project/offered/nix.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from deployd.project.model import Application
from deployd.project.offered.nix import IN_THE_IMAGE
from deployd.runtimes.runtime import BuildStep


def look_beside(app: Application) -> Iterator[BuildStep]:
    """A step that ends the build when the image has another version of such a runtime."""
    asked = [name.partition("@") for name in app.stack.runtimes[1:]] if app.stack else []
    checks = [_check(app, runtime, version) for runtime, _, version in asked if runtime in IN_THE_IMAGE]
    if checks:
        yield BuildStep("the runtimes of the stack", "\n".join(["set -e", *checks, ""]))


def _check(app: Application, runtime: str, version: str) -> str:
    return f"""\
there=$({IN_THE_IMAGE[runtime]})
case $there. in
    {version}.*) echo "{runtime} $there" ;;
    *)
        echo "{runtime}@{version} is not in the image of {app.type}, which has $there: ask for that one" >&2
        exit 1 ;;
esac"""
