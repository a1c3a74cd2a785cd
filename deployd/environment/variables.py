"""Variables of an application from all their levels (configuration format 7.1 and 7.2). Pure.

A later level wins: application, project, what the environment inherits, its own; the platform's own values are added
elsewhere and win over all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from deployd.project.application.variables import NULL, VARIABLE_NAME, overwritten
from deployd.project.model import DIALECTS, Application, Instance, Json
from deployd.project.offered.runtimes import INI_PREFIXES
from deployd.settings import ProjectSettings
from deployd.settings.variables import canonical_name


@dataclass(frozen=True, slots=True)
class Variables:
    """What an application gets."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of their own: the prefix `env:`."""
    platform: Mapping[str, Json] = field(default_factory=dict)
    """Flat content of PLATFORM_VARIABLES: {"prefix:name": value}."""
    ini: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """{runtime: settings of its ini file}: the prefix `php:`."""


def variables_of(
    app: Application, instance: Instance, project: ProjectSettings, branch: str, *, building: bool,
) -> Variables:
    """All levels made one, as one instance of an application sees them.

    Args:
        building: Only what is visible in a build, else only what is visible at run time.
    """
    values: dict[str, Json] = {
        f"{prefix}:{name}": value for prefix, names in instance.variables.items() for name, value in names.items()
    }
    shown = project.dialect is None or DIALECTS[project.dialect].builds_see_environment
    is_protected = project.protection_of(branch) is not None
    for level in project.variable_levels(branch):
        in_builds = shown or level.level == "project"
        for name, variable in level.variables.items():
            if variable.applications and app.name not in variable.applications:
                continue
            # A build runs before anybody has approved it: what is secret in a protected environment it does not see.
            withheld = is_protected and variable.sensitive and level.level == "environment"
            visible = in_builds and not withheld if variable.visible_build is None else variable.visible_build
            if visible if building else variable.visible_runtime:
                values[canonical_name(name)] = variable.value
    environment = {name[4:]: as_text(value) for name, value in values.items() if name.startswith("env:")}
    platform = {name: value for name, value in values.items() if not name.startswith("env:")}
    return Variables(environment, platform, _ini(values))


def _ini(values: Mapping[str, Json]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for written, value in values.items():
        prefix, colon, name = written.partition(":")
        if colon and prefix in INI_PREFIXES:
            found.setdefault(prefix, {})[name] = as_ini(value)
    return found


def doubtful_variables(project: ProjectSettings) -> list[str]:
    """Warnings about variables of the operator that programs do not find as they are written, each with its key."""
    levels = [("variables", project.variables), *(
        (f"environments.{branch}.variables", item.variables) for branch, item in project.environments.items()
    )]
    found = []
    for key, level in levels:
        for written, variable in level.items():
            if not written.startswith("env:"):
                continue
            name = written[4:].upper()
            if not VARIABLE_NAME.fullmatch(name):
                found.append(f"{key}.{written}: no program finds it, because the shell that starts them passes on only "
                             "names of letters, digits and `_` that do not begin with a digit; use another name")
            elif why := overwritten(name, unix=None):
                found.append(f"{key}.{written}: {name} {why}; remove it, or use another name")
            if variable.value is None:
                found.append(f'{key}.{written}: {name} {NULL}; write "" for an empty one, or remove it')
    return found


def as_text(value: Json) -> str:
    """A value as an environment variable: strings as they are, everything else as JSON text (`true`, `["a", "b"]`)."""
    return value if isinstance(value, str) else json.dumps(value)


def as_ini(value: Json) -> str:
    """A value as an ini file has it; YAML 1.1 has made a boolean of `Off`, and ini wants a word again."""
    if isinstance(value, bool):
        return "On" if value else "Off"
    return "" if value is None else as_text(value)
