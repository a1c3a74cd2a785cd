"""Builds of Ruby: global packages, and what gems keep between builds. There is no build flavor but `none`. Pure.

What `gem install` and `bundle install` bring by themselves goes into the application (GEM_HOME, see `paths.py`), and
its programs are on the PATH; a project that names a path of its own, as `BUNDLE_DEPLOYMENT` does, is left alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from deployd.project.model import Application, Json
from deployd.runtimes.runtime import BuildStep, Runtime

CALLS_GEM = re.compile(r"(?m)(^|[\s;&|(])(gem|bundle)\s")
BARE_VERSION = re.compile(r"[0-9][0-9A-Za-z.-]*")


def dependencies(packages: Mapping[str, Json]) -> Iterator[BuildStep]:
    """Global gems; their programs are on the PATH.

    Args:
        packages: {gem: constraint}; `*` is any version, a bare version is exactly that one, as Bundler reads it.
    """
    # Each for itself: `gem` applies one --version to all that it is given. No `--` before the name: what comes after
    # it is for the compilers of extensions.
    installs = [
        shlex.join(["gem", "install", "--no-document", *_version(constraint), name])
        for name, constraint in packages.items()
    ]
    if installs:
        yield BuildStep("dependencies of Ruby", "\n".join(["set -e", *installs, 'rm -rf "${GEM_HOME:?}/cache"', ""]))


def _version(constraint: Json) -> list[str]:
    text = "" if constraint is None else str(constraint).strip()
    if text in ("", "*", "latest"):
        return []
    return ["--version", f"= {text}" if BARE_VERSION.fullmatch(text) else text]


def build_variables(app: Application) -> Mapping[str, str]:
    """Bundler keeps the gems that it downloads where it is told to by the row below, whichever project they are for."""
    return {"BUNDLE_GLOBAL_GEM_CACHE": "true", **run_variables(app)}


def uses_gems(app: Application) -> bool:
    """Whether gems may be among what it runs with, whatever its language is."""
    hook = app.hooks.build.script if app.hooks.build is not None else ""
    return app.runtime_name == RUBY.name or RUBY.name in app.dependencies or CALLS_GEM.search(hook) is not None


def run_variables(app: Application) -> Mapping[str, str]:
    """As on the hosted platforms."""
    return {"RAILS_LOG_TO_STDOUT": "1", "RAILS_TMP": "/tmp"}


RUBY = Runtime(
    "ruby", dependencies, downloads={"BUNDLE_USER_CACHE": "bundle"},
    build_variables=build_variables, run_variables=run_variables,
)
