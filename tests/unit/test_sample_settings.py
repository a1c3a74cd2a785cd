"""The sample settings: they are the documentation, so they must hold every key, and the defaults that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from deployd.cli.disk_tree import DiskTree
from deployd.project.reader import read_project
from deployd.settings import (
    AddressPermission,
    BuildSettings,
    CollectSettings,
    ContainerSettings,
    EnvironmentSettings,
    HttpAccess,
    Limits,
    MailSettings,
    OutputSettings,
    ProjectSettings,
    Protection,
    Remote,
    RouterSettings,
    Settings,
    Shares,
    Token,
    Variable,
    load_settings,
)

CONFIG = Path(__file__).parents[2] / "config"
OF_THE_SAMPLE = {"projects", "sizes"}
"""The sample has a project, and writes out what is a default of another kind."""


def test_the_sample_settings_are_the_defaults() -> None:
    sample, default = load_settings(CONFIG / "deployd.yaml"), Settings()
    different = {name for name in Settings.model_fields if getattr(sample, name) != getattr(default, name)}
    assert different == OF_THE_SAMPLE
    assert {name: sample.size(name) for name in ("AUTO", "S")} == {name: default.size(name) for name in ("AUTO", "S")}
    assert set(sample.projects) == {"shop"}


@pytest.mark.parametrize(("model", "file"), [
    (Settings, "deployd.yaml"), (RouterSettings, "deployd.yaml"), (Limits, "deployd.yaml"), (Shares, "deployd.yaml"),
    (BuildSettings, "deployd.yaml"), (CollectSettings, "deployd.yaml"), (ContainerSettings, "deployd.yaml"),
    (OutputSettings, "deployd.yaml"), (Token, "deployd.yaml"), (MailSettings, "deployd.yaml"),
    (AddressPermission, "projects.d/shop.yaml"), (HttpAccess, "projects.d/shop.yaml"),
    (EnvironmentSettings, "projects.d/shop.yaml"), (Protection, "projects.d/shop.yaml"),
    (ProjectSettings, "projects.d/shop.yaml"), (Remote, "projects.d/shop.yaml"), (Variable, "projects.d/shop.yaml"),
])
def test_every_key_stands_in_the_sample(model: type[BaseModel], file: str) -> None:
    text = (CONFIG / file).read_text()
    # `projects` lie beside the file; a project's id is its file's name
    missing = [
        name for name in model.model_fields
        if not re.search(rf"(?m)(^|[\s#{{-]){name}:", text) and (model, name) not in
        {(Settings, "projects"), (ProjectSettings, "id")}
    ]
    assert missing == []


@pytest.mark.parametrize("name", ["shop", "guestbook", "tally"])
def test_a_sample_project_is_accepted_and_has_only_what_is_not_built_yet(name: str) -> None:
    result = read_project(DiskTree(CONFIG / "samples" / name))
    assert result.config is not None
    assert {finding.code for finding in result.findings} <= {"not-honoured"}
