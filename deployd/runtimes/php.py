"""Builds of PHP: settings, global packages, and the build flavor `composer`. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from deployd.project.model import Application, Json
from deployd.runtimes.magento.hotfixes import HOTFIXES
from deployd.runtimes.php_fpm import fpm_start, render_fpm
from deployd.runtimes.php_ini import (
    APP_INI_FOLDER,
    BUILD_INI_FOLDER,
    RUN_INI_FOLDER,
    SIZED_INI_FOLDER,
    render_php_ini,
    render_sized_ini,
    scan_dir,
)
from deployd.runtimes.runtime import GLOBAL_FOLDER, BuildStep, Runtime

COMPOSER = "composer --no-ansi --no-interaction"
QUICK_OPTIONS = "--no-progress --prefer-dist"
"""Where the autoloader is written once more later on."""
INSTALL_OPTIONS = f"{QUICK_OPTIONS} --optimize-autoloader"
"""Configuration format 4.10. Packages for development are installed too, as on the hosted platforms."""


AGENTS = ("blackfire", "datadog-profiling", "newrelic", "tideways", "tideways_xhprof")
"""Of monitoring services; applications do without them."""


def settings(app: Application) -> Iterator[BuildStep]:
    """PHP's settings are the build's too: the same extensions and `php:` variables as later on.

    An extension that the image lacks ends the build here, because PHP itself would say nothing.
    """
    text = render_php_ini(app, app.web.instance.variables.get("php", {}))
    disabled = {name.lower() for name in app.runtime.disabled_extensions}
    wanted = [name for item in app.runtime.extensions if (name := item.name.lower()) not in disabled]
    script = f"mkdir -p {BUILD_INI_FOLDER}\n{_file(BUILD_INI_FOLDER + '/php.ini', text)}\n" if text else ""
    if wanted:
        script += f"""\
loaded=$(php -m | tr A-Z a-z)
for name in {shlex.join(wanted)}; do
    if echo "$loaded" | grep --quiet --line-regexp --fixed-strings -e "$name" -e "zend $name"; then continue; fi
    case $name in
        {"|".join(AGENTS)}) echo "the extension $name is not in the image of {app.type}: left out" ;;
        *)
            echo "the extension $name is not in the image of {app.type}; remove it from runtime.extensions" >&2
            exit 1 ;;
    esac
done
"""
    if script:
        yield BuildStep("PHP's settings", f"set -e\n{script}")


def composer(and_then: str = HOTFIXES, options: str = INSTALL_OPTIONS) -> BuildStep:
    """The build flavor `composer`."""
    return BuildStep("composer install", f"""\
set -e
if [ -f composer.json ]; then
    {COMPOSER} install {options}
else
    echo 'there is no composer.json: nothing to install'
fi
{and_then}""")


def dependencies(packages: Mapping[str, Json]) -> Iterator[BuildStep]:
    """Global packages of PHP: a project of their own, whose programs are on the PATH.

    Args:
        packages: {package: constraint}, or {"require": {package: constraint}, "repositories": […]}.
    """
    listed = packages.get("require")
    require = listed if isinstance(listed, dict) else packages
    project: dict[str, Json] = {
        "require": {name: str(constraint) for name, constraint in require.items()},
        "config": {"bin-dir": f"{GLOBAL_FOLDER}/bin", "allow-plugins": True},
        "minimum-stability": "dev",
        "prefer-stable": True,
    }
    if isinstance(listed, dict) and "repositories" in packages:
        project["repositories"] = packages["repositories"]
    folder = f"{GLOBAL_FOLDER}/composer"
    yield BuildStep("dependencies of PHP", f"""\
set -e
mkdir -p {folder}
{_file(folder + "/composer.json", json.dumps(project, indent=2) + chr(10))}
{COMPOSER} update --working-dir={folder} {INSTALL_OPTIONS}
""")


def build_variables(app: Application) -> Mapping[str, str]:
    return scan_dir(app, [APP_INI_FOLDER, BUILD_INI_FOLDER])


def run_variables(app: Application) -> Mapping[str, str]:
    return scan_dir(app, [SIZED_INI_FOLDER, APP_INI_FOLDER, RUN_INI_FOLDER])


def files(app: Application, settings: Mapping[str, str], memory_mb: int, cpus: float) -> Mapping[str, str]:
    """What PHP and FPM read when an instance starts."""
    return {
        "php-fpm.conf": render_fpm(app, memory_mb, cpus),
        "php.ini": render_php_ini(app, settings),
        f"{Path(SIZED_INI_FOLDER).name}/php.ini": render_sized_ini(memory_mb),
    }


def _file(path: str, text: str) -> str:
    """A command that writes a file; nothing in the text is expanded."""
    return f"cat > {path} <<'END-OF-FILE'\n{text}END-OF-FILE"


PHP = Runtime(
    "php", dependencies, {"composer": composer, "symfony": composer}, {"COMPOSER_CACHE_DIR": "composer"},
    settings=settings, build_variables=build_variables, run_variables=run_variables, files=files, start=fpm_start,
)
