"""From the files of the operator to `Settings`, or to all that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError

from deployd.errors import DeployError
from deployd.settings.contradictions import At, Wrong
from deployd.settings.settings import Settings
from deployd.yaml_file import YamlFile, read_yaml_file


class SettingsInvalid(DeployError):
    """The settings cannot be used; all that is wrong is told at once."""

    code: ClassVar[str] = "settings-invalid"


def load_settings(path: Path) -> Settings:
    """Read deployd.yaml and, beside it, projects.d/*.yaml (one project each, named after the file).

    Raises:
        SettingsInvalid: A file is missing, is not YAML, or says something that is not allowed.
    """
    main = _read(path)
    projects = main.values.get("projects") or {}
    if not isinstance(projects, dict):
        raise SettingsInvalid("`projects` must be a mapping of ids to settings", hint="or use files in projects.d/",
                              where=f"{path}:{main.line_of(('projects',))}")
    files = _files_of_projects(path)
    for name in projects:
        if name in files:
            raise SettingsInvalid(
                f"the project {name} is defined twice", where=f"{path} and {files[name].file}", hint="remove one"
            )
    projects = {**projects, **{name: file.values for name, file in files.items()}}
    try:
        return Settings.model_validate({**main.values, "projects": projects})
    except ValidationError as error:
        found = tuple(
            f"{'.'.join(map(str, at)) or 'settings'}: {what}{_place(path, main, files, at)}"
            for at, what in _told(error)
        )
        raise SettingsInvalid(
            "the settings are not valid", where=str(path), evidence=found,
            hint="correct the keys named above; config/deployd.yaml shows every key with its meaning",
        ) from None


def _read(path: Path) -> YamlFile:
    return read_yaml_file(
        path, SettingsInvalid, "the settings",
        missing="copy config/deployd.yaml to that place, or name another with --settings",
    )


def _files_of_projects(path: Path) -> dict[str, YamlFile]:
    folder = path.parent / "projects.d"
    for file in folder.glob("*.yml"):
        raise SettingsInvalid(
            f"{file.name} would not be read: only names that end in .yaml are", where=str(file),
            hint=f"call it {file.stem}.yaml, or take it away",
        )
    return {file.stem: _read(file) for file in sorted(folder.glob("*.yaml"))}


def _told(error: ValidationError) -> Iterator[tuple[At, str]]:
    """Each thing that is wrong, with the way to its key."""
    for item in error.errors():
        inner = item.get("ctx", {}).get("error")
        if isinstance(inner, Wrong):
            yield from inner.found
        else:
            yield item["loc"], _in_words(item)


def _place(path: Path, main: YamlFile, files: Mapping[str, YamlFile], at: At) -> str:
    """`   projects.d/shop.yaml:4`"""
    of_project = files.get(str(at[1])) if len(at) > 1 and at[0] == "projects" else None
    written, way = (main, at) if of_project is None else (of_project, at[2:])
    line = written.line_of(way)
    return f"   {written.file.relative_to(path.parent)}:{line}" if line else ""


def _in_words(item: Mapping[str, Any]) -> str:
    """What pydantic found, without the words of its own trade."""
    if item["type"] == "extra_forbidden":
        return "there is no such key"
    if item["type"] == "missing":
        return "this key is needed"
    return str(item["msg"]).removeprefix("Value error, ")
