"""Builds of Node.js: global packages, and the build flavor `default`. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from deployd.project.model import Application, Json
from deployd.runtimes.runtime import GLOBAL_FOLDER, BuildStep, Runtime


def default() -> BuildStep:
    """The build flavor `default`: npm prune, then npm install, both with the application's .npmrc as the user's."""
    return BuildStep("npm install", """\
if [ -f package.json ]; then
    npm prune --userconfig .npmrc && npm install --userconfig .npmrc
else
    echo 'there is no package.json: nothing to install'
fi
""")


def dependencies(packages: Mapping[str, Json]) -> Iterator[BuildStep]:
    """Global packages of Node.js; their programs are on the PATH.

    Args:
        packages: {package: constraint}
    """
    wanted = [shlex.quote(f"{name}@{constraint}") for name, constraint in packages.items()]
    if wanted:
        yield BuildStep("dependencies of Node.js",
                        f"npm install --global --prefix {GLOBAL_FOLDER} --no-audit {' '.join(wanted)}\n")


def corepack(app: Application) -> Mapping[str, str]:
    """Where corepack has what it fetches: it travels with the application, for a `start: yarn start`."""
    return {"COREPACK_HOME": f"{GLOBAL_FOLDER}/corepack", "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0"}


NODEJS = Runtime(
    "nodejs", dependencies, {"default": default}, {"NPM_CONFIG_CACHE": "npm"},
    build_variables=corepack, run_variables=corepack,
)
