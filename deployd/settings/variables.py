"""Variables that the operator gives to a project or to one environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, field_validator

from deployd.settings.frozen import Frozen


class Variable(Frozen):
    """A variable of a project or of one environment (configuration format: levels and prefixes)."""

    value: Any
    sensitive: bool = False
    visible_build: bool | None = None
    """None: a project's variable is visible, and so is an environment's but in the spelling of Magento."""
    visible_runtime: bool = True
    applications: tuple[str, ...] = ()
    """Applications that see it; none named: all."""

    @field_validator("value")
    @classmethod
    def _can_be_written_as_json(cls, value: Any) -> Any:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError("YAML reads this as a date or the like, and JSON has none: put it into quotes") from None
        return value


Level = Literal["project", "environment"]
Origin = Literal["settings", "kept", "inherited"]


@dataclass(frozen=True, slots=True)
class VariableLevel:
    """Variables that stand in one place. A later level wins over an earlier one, name by name."""

    level: Level
    """Of whom they are: inherited ones are the environment's."""
    origin: Origin
    """The operator's settings, deployd's database, or the environment `of` that this one descends from."""
    variables: Mapping[str, Variable]
    of: str = ""
    """The branch, unless they are the project's."""


def canonical_name(name: str) -> str:
    """A name as variables of project and environment are told apart: `env:foo` and `env:FOO` are one."""
    return f"env:{name[4:].upper()}" if name.startswith("env:") else name


def _plain_values_are_variables(value: Any) -> Any:
    """`NAME: text` is short for `NAME: {value: text}`."""
    if not isinstance(value, dict):
        return value
    return {
        name: item if isinstance(item, dict) and "value" in item else {"value": item} for name, item in value.items()
    }


def _names_can_be_names(variables: dict[str, Variable]) -> dict[str, Variable]:
    for name in variables:
        own = name.removeprefix("env:").removeprefix("php:")
        if not own or not name.isprintable() or "=" in own:
            raise ValueError(f"{name!r} cannot be the name of a variable: it is empty, has `=`, or cannot be shown")
    return variables


Variables = Annotated[
    dict[str, Variable], BeforeValidator(_plain_values_are_variables), AfterValidator(_names_can_be_names)
]
