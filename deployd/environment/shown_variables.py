"""Variables of an application as people may see them: all names, and values of those that are no secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployd.environment.variables import as_text, variables_of
from deployd.project.model import Application, Json
from deployd.settings import ProjectSettings

LONGEST_VALUE = 500
MAY_BE_SECRET = re.compile(
    r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|PRIVATE|AUTH|SALT|DSN|_URL$|COOKIE|SIGN|LICEN[CS]E", re.IGNORECASE,
)
"""A variable of such a name is not shown, though nobody marked it as sensitive."""
SECRET_VALUE = re.compile(r"://[^/@\s]*:[^/@\s]*@|-----BEGIN ")
OF_PLATFORM = ("APPLICATION", "APPLICATION_NAME", "BRANCH", "ENVIRONMENT", "ENVIRONMENT_TYPE", "PROJECT",
               "PROJECT_ENTROPY", "RELATIONSHIPS", "ROUTES", "TREE_ID", "VARIABLES")


@dataclass(frozen=True, slots=True)
class ShownVariable:
    name: str
    """As programs find it; with `php:` and other prefixes as it is written."""
    value: str | None
    """None: it is sensitive, may be a secret, or is made by deployd."""
    of: str
    """`application` (its file), `project`, `environment` (the settings) or `platform`."""


def variables_shown(
    app: Application, project: ProjectSettings, branch: str, prefix: str,
) -> tuple[ShownVariable, ...]:
    """What an application sees at run time, by name."""
    found = variables_of(app, app.web.instance, project, branch, building=False)
    seen: dict[str, Json] = {**{f"env:{name}": value for name, value in found.environment.items()}, **found.platform}
    levels = {"environment": project.environment_variables(branch), "project": project.variables}
    by_level = {of: {_as_seen(name): variable for name, variable in level.items()} for of, level in levels.items()}
    shown = []
    for name, value in sorted(seen.items()):
        of = next((of for of, level in by_level.items() if name in level), "application")
        secret = any(level[name].sensitive for level in by_level.values() if name in level)
        text = as_text(value)
        hidden = secret or MAY_BE_SECRET.search(name) or SECRET_VALUE.search(text)
        shown.append(ShownVariable(name.removeprefix("env:"), None if hidden else text[:LONGEST_VALUE], of))
    return (*shown, *_of_platform(app, branch, prefix))


def _of_platform(app: Application, branch: str, prefix: str) -> Iterator[ShownVariable]:
    known: Mapping[str, str] = {"APPLICATION_NAME": app.name, "BRANCH": branch}
    for name in OF_PLATFORM:
        yield ShownVariable(f"{prefix}{name}", known.get(name), "platform")


def _as_seen(name: str) -> str:
    return f"env:{name[4:].upper()}" if name.startswith("env:") else name
