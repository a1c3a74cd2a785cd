"""Builds of Python: global packages. There is no build flavor but `none`. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from deployd.project.model import Json
from deployd.runtimes.runtime import BuildStep, Runtime

BARE_VERSION = re.compile(r"[0-9][0-9A-Za-z.!+*_-]*")


def dependencies(packages: Mapping[str, Json]) -> Iterator[BuildStep]:
    """Global packages of Python: into the user's folder, which PYTHONUSERBASE puts into the application.

    Args:
        packages: {package: constraint}; `*` is any version, a bare version is exactly that one.
    """
    wanted = [shlex.quote(requirement(name, constraint)) for name, constraint in packages.items()]
    if wanted:
        install = "python3 -m pip install --user --no-warn-script-location"
        yield BuildStep("dependencies of Python", f"{install} {' '.join(wanted)}\n")


def requirement(name: str, constraint: Json) -> str:
    """What pip is asked for. A mapping is Pipfile's form: `{version: …, extras: […]}`."""
    if isinstance(constraint, dict):
        extras = constraint.get("extras")
        named = f"{name}[{','.join(map(str, extras))}]" if isinstance(extras, list) and extras else name
        return requirement(named, constraint.get("version", "*"))
    text = "*" if constraint is None else str(constraint).strip()
    if text in ("", "*", "latest"):
        return name
    return f"{name}=={text}" if BARE_VERSION.fullmatch(text) else f"{name}{text}"


PYTHON = Runtime("python", dependencies, downloads={"PIP_CACHE_DIR": "pip"})
PYTHON3 = Runtime("python3", dependencies)
"""No type of applications: another word for the same packages."""
