"""Builds of Python: global packages of both Pythons. There is no build flavor but `none`. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from deployd.project.model import Json
from deployd.runtimes.runtime import BuildStep, Runtime

PYTHON2_TOOLS = ("pip==20.3.4", "setuptools==44.1.1", "wheel==0.37.1")
"""The last ones that know it."""
ONLY_THERE = "only images of Debian 11 have it, as those of php:7.4, python:3.9 and python:2.7 are"
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


def dependencies_of_python2(packages: Mapping[str, Json]) -> Iterator[BuildStep]:
    """Global packages of Python 2, which only images of Debian 11 still have, and whose pip is fetched by Python 3's.

    Args:
        packages: As of `dependencies`.
    """
    wanted = [shlex.quote(requirement(name, constraint)) for name, constraint in packages.items()]
    if not wanted:
        return
    yield BuildStep("dependencies of Python 2", f"""\
set -e
if ! command -v python2 > /dev/null; then
    echo 'there is no Python 2 in this image: {ONLY_THERE}' >&2
    exit 1
fi
tools=$(mktemp -d)
python3 -m pip download --quiet --no-deps --dest "$tools" {' '.join(PYTHON2_TOOLS)}
pip=$(echo "$tools"/pip-*.whl)
python2 "$pip/pip" install --user --no-warn-script-location --no-index "$tools"/*.whl
python2 -m pip install --user --no-warn-script-location {' '.join(wanted)}
rm -rf "$tools"
""")


PYTHON = Runtime("python", dependencies, downloads={
    "PIP_CACHE_DIR": "pip", "UV_CACHE_DIR": "uv", "PIPENV_CACHE_DIR": "pipenv", "POETRY_CACHE_DIR": "poetry",
})
PYTHON2 = Runtime("python2", dependencies_of_python2)
"""No type of applications, as the next one."""
PYTHON3 = Runtime("python3", dependencies)
"""No type of applications: another word for the same packages."""
