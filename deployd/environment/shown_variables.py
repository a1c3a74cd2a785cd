"""Variables of an application as people may see them: all names, and values of those that are no secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployd.environment.variables import as_text, variables_of
from deployd.project.model import Application, Json
from deployd.settings import ProjectSettings
from deployd.settings.variables import canonical_name

LONGEST_VALUE = 500
MAY_BE_SECRET = re.compile(
    r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|PRIVATE|AUTH|SALT|DSN|_URL$|COOKIE|SIGN|LICEN[CS]E", re.IGNORECASE,
)
"""A variable of such a name is not shown, though nobody marked it as sensitive."""
SECRET_VALUE = re.compile(r"://[^/@\s]*:[^/@\s]*@|-----BEGIN ")
OF_PLATFORM = ("APPLICATION", "APPLICATION_NAME", "BRANCH", "ENVIRONMENT", "ENVIRONMENT_TYPE", "PROJECT",
               "PROJECT_ENTROPY", "RELATIONSHIPS", "ROUTES", "TREE_ID", "VARIABLES")


def may_be_secret(name: str, text: str) -> bool:
    """Whether a variable looks like a secret that nobody marked as one."""
    return MAY_BE_SECRET.search(name) is not None or SECRET_VALUE.search(text) is not None


@dataclass(frozen=True, slots=True)
class ShownVariable:
    name: str
    """As programs find it; with `php:` and other prefixes as it is written."""
    value: str | None
    """None: it is sensitive, may be a secret, or is made by deployd."""
    of: str
    """`application` (its file), `project`, `environment` or `platform`."""


def variables_shown(
    app: Application, project: ProjectSettings, branch: str, prefix: str,
) -> tuple[ShownVariable, ...]:
    """What an application sees at run time, by name."""
    found = variables_of(app, app.web.instance, project, branch, building=False)
    seen: dict[str, Json] = {**{f"env:{name}": value for name, value in found.environment.items()}, **found.platform}
    levels = [
        (level.level, {canonical_name(name): variable for name, variable in level.variables.items()
                       if not variable.applications or app.name in variable.applications})
        for level in reversed(project.variable_levels(branch))
    ]
    shown = []
    for name, value in sorted(seen.items()):
        of = next((of for of, level in levels if name in level), "application")
        secret = any(level[name].sensitive for _, level in levels if name in level)
        text = as_text(value)
        hidden = secret or may_be_secret(name, text)
        shown.append(ShownVariable(name.removeprefix("env:"), None if hidden else text[:LONGEST_VALUE], of))
    return (*shown, *_of_platform(app, branch, prefix))


def _of_platform(app: Application, branch: str, prefix: str) -> Iterator[ShownVariable]:
    known: Mapping[str, str] = {"APPLICATION_NAME": app.name, "BRANCH": branch}
    for name in OF_PLATFORM:
        yield ShownVariable(f"{prefix}{name}", known.get(name), "platform")
