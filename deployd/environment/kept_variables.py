"""Variables that people set without the operator's settings: what one is, and which of them an environment sees. Pure.

They are the project's or an environment's, and an environment inherits those of its parents. The parent is the one that
people named, else production. What is secret stays where it is safe:

    a protected environment inherits nothing of one that is not, nor of that one's parents: else who may push there, or
    say who its parent is, could change what it sees;
    what is sensitive in a protected environment is inherited only when somebody said that it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from deployd.environment.variables import as_text
from deployd.errors import Unusable
from deployd.project.application.variables import INI_NAME, VARIABLE_NAME, overwritten
from deployd.project.model import Json
from deployd.project.offered.runtimes import INI_PREFIXES
from deployd.settings import ProjectSettings
from deployd.settings.variables import Variable, VariableLevel, canonical_name

NAME = re.compile(r"(?:[A-Za-z0-9_.-]+:)*[A-Za-z0-9_.-]+")
LONGEST_NAME = 200
MOST_VALUE_BYTES = 100_000
"""Linux starts nothing with a variable of more than 128 KB, and `PLATFORM_VARIABLES` has them all, encoded."""
DEEPEST_JSON = 100
MOST_AT_A_LEVEL = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVariable:
    """One variable, as somebody set it."""

    name: str
    """With its prefix (`env:`, `php:`, …); after `env:` in capitals."""
    value: str
    is_json: bool = False
    """The value is JSON text, and applications get what it says."""
    sensitive: bool = False
    """Its value is never shown again."""
    visible_build: bool | None = None
    """None: the project's is, and so is an environment's but in the spelling of Magento, or where it is a secret of a
    protected environment."""
    visible_runtime: bool = True
    inheritable: bool | None = None
    """Whether children of the environment see it; None: unless it is a secret of a protected one."""
    enabled: bool = True
    applications: tuple[str, ...] = ()
    """Applications that see it; none named: all."""

    @property
    def content(self) -> Json:
        """What applications get."""
        found: Json = json.loads(self.value) if self.is_json else self.value
        return found

    @property
    def as_variable(self) -> Variable:
        return Variable(
            value=self.content, sensitive=self.sensitive, visible_build=self.visible_build,
            visible_runtime=self.visible_runtime, applications=self.applications,
        )


@dataclass(frozen=True, slots=True)
class SeenVariables:
    """Which of all variables that were ever kept a version sees: those of one moment."""

    revision: int = 0
    """Of the project's variables; 0: there had been none."""
    parents: tuple[str, ...] = ()
    """Branches whose variables are inherited, the nearest first."""


NO_VARIABLES = SeenVariables()


def levels_seen(
    project: ProjectSettings, branch: str, of_project: Iterable[KeptVariable],
    of_branches: Mapping[str, Iterable[KeptVariable]], parents: Sequence[str],
) -> tuple[VariableLevel, ...]:
    """What an environment sees of what is kept, as `ProjectSettings.with_kept_variables` takes it.

    Args:
        of_branches: {branch: variables} of the environment and of its parents.
        parents: The nearest first.
    """
    levels = [VariableLevel("project", "kept", _by_name(of_project))]
    for parent in reversed(heard(project, branch, parents)):
        of_protected = project.protection_of(parent) is not None
        handed_on = [item for item in of_branches.get(parent, ()) if is_handed_on(item, of_protected=of_protected)]
        levels.append(VariableLevel("environment", "inherited", _by_name(handed_on), parent))
    levels.append(VariableLevel("environment", "kept", _by_name(of_branches.get(branch, ())), branch))
    return tuple(level for level in levels if level.variables)


def heard(project: ProjectSettings, branch: str, parents: Sequence[str]) -> tuple[str, ...]:
    """The parents that have a say in what an environment sees: of a protected one those up to the first that is not."""
    if project.protection_of(branch) is None:
        return tuple(parents)
    return tuple(takewhile(lambda parent: project.protection_of(parent) is not None, parents))


def is_handed_on(variable: KeptVariable, *, of_protected: bool) -> bool:
    """Whether children of its environment see it."""
    if variable.inheritable is None:
        return not (variable.sensitive and of_protected)
    return variable.inheritable


def parents_of(project: ProjectSettings, branch: str, named: Mapping[str, str]) -> tuple[str, ...]:
    """Branches from which an environment inherits, the nearest first.

    Args:
        named: {branch: its parent} where somebody named one; of others it is production.
    """
    found: list[str] = []
    at = branch
    while at != project.production:
        at = named.get(at) or project.production
        if at in found or at == branch:
            break
        found.append(at)
    return tuple(found)


def refuse_unfit(variable: KeptVariable) -> None:
    """Whether it may be kept.

    Raises:
        Unusable: Its name is none, no program would find it, or its value is too large or no JSON.
    """
    name = canonical_name(variable.name)
    if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
        raise Unusable(
            f"{variable.name[:LONGEST_NAME]!r} cannot be the name of a variable",
            hint="letters, digits, `_`, `.` and `-`, behind prefixes that end with `:`, as in env:TOKEN, 200 at most",
        )
    if name.startswith("env:"):
        _refuse_lost(name.removeprefix("env:"))
    prefix, _, rest = name.partition(":")
    if prefix in INI_PREFIXES and not INI_NAME.fullmatch(rest):
        raise Unusable(f"{name} cannot be a setting of {prefix}", hint="write one like php:memory_limit")
    if len(variable.value.encode(errors="replace")) > MOST_VALUE_BYTES:
        raise Unusable(f"the value of {name} has more than {MOST_VALUE_BYTES:,} bytes",
                       hint="put long values into files of the repository or of a mount")
    _refuse_unreadable(name, variable)


def _refuse_lost(name: str) -> None:
    if not VARIABLE_NAME.fullmatch(name):
        raise Unusable(f"no program finds env:{name}",
                       hint="letters, digits and `_` behind `env:`, and no digit first: shells pass on no others")
    if why := overwritten(name, unix=None):
        raise Unusable(f"env:{name} {why}", hint="use another name")


def _refuse_unreadable(name: str, variable: KeptVariable) -> None:
    found = _read_json(name, variable.value) if variable.is_json else variable.value
    if found is None:
        raise Unusable(f"the value of {name} is null", hint='write "" for an empty one, or disable it')
    text = as_text(found)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "\0"
    if "\0" in text:
        raise Unusable(f"the value of {name} has characters that no variable can have")


def _read_json(name: str, text: str) -> Json:
    try:
        found: Json = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Unusable(f"the value of {name} is no JSON", hint="leave `is_json` out for a plain text") from None
    if _depth(found) > DEEPEST_JSON:
        raise Unusable(f"the value of {name} is nested more than {DEEPEST_JSON} deep")
    return found


def _no_constant(text: str) -> Json:
    raise ValueError(text)


def _depth(value: Json) -> int:
    """Lists and mappings within each other."""
    deepest, level = 0, [value]   # no recursion: it may be as deep as the parser bears
    while level:
        deepest += 1
        level = [
            inner for item in level if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest


def _by_name(variables: Iterable[KeptVariable]) -> dict[str, Variable]:
    return {item.name: item.as_variable for item in variables if item.enabled}
