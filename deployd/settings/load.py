"""From the files of the operator to `Settings`, or to all that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import ValidationError

from deployd.errors import DeployError
from deployd.settings.whole import Settings


class SettingsInvalid(DeployError):
    """The settings cannot be used; all that is wrong is told at once."""

    code: ClassVar[str] = "settings-invalid"


def load_settings(path: Path) -> Settings:
    """Read deployd.yaml and, beside it, projects.d/*.yaml (one project each, named after the file).

    Raises:
        SettingsInvalid: A file is missing, is not YAML, or says something that is not allowed.
    """
    values = _read_yaml(path)
    projects = dict(values.get("projects") or {})
    for file in sorted(path.parent.glob("projects.d/*.yaml")):
        if file.stem in projects:
            raise SettingsInvalid(
                f"the project {file.stem} is defined twice", where=f"{path} and {file}", mend="remove one"
            )
        projects[file.stem] = _read_yaml(file)
    try:
        return Settings.model_validate({**values, "projects": projects})
    except ValidationError as error:
        found = tuple(f"{'.'.join(map(str, item['loc'])) or 'settings'}: {_in_words(item)}" for item in error.errors())
        raise SettingsInvalid(
            "the settings are not valid", where=str(path), evidence=found,
            mend="correct the keys named above; config/deployd.yaml shows every key with its meaning",
        ) from None


def _in_words(item: Mapping[str, object]) -> str:
    """What pydantic found, without the words of its own trade."""
    if item["type"] == "extra_forbidden":
        return "there is no such key"
    if item["type"] == "missing":
        return "this key is needed"
    return str(item["msg"]).removeprefix("Value error, ")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise SettingsInvalid("there is no settings file", where=str(path),
                              mend="copy config/deployd.yaml to that place, or name another with --settings") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise SettingsInvalid(
            f"the settings are not YAML: {error.problem}",
            where=f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path), mend="correct the file",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"the settings are not YAML: {error}", where=str(path), mend="correct the file") from None
    except OSError as error:
        raise SettingsInvalid(f"the settings cannot be read: {error.strerror}", where=str(path)) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsInvalid("the settings must be a mapping of keys to values", where=str(path))
    return values
