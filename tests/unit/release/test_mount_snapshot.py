"""Which mounts a snapshot has, and how they are to be put back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployd.ids import EnvironmentId
from deployd.project.findings.report import render_findings
from deployd.project.model import ProjectConfig
from deployd.project.reader import read_project
from deployd.release.data.mount_copy import FOLDER, REQUEST, folders_of, write_request
from deployd.release.paths import Places
from tests.doubles.trees import DictTree

APPLICATIONS = """
applications:
  one:
    type: nodejs:24
    hooks: {deploy: make one}
    mounts: {up: {source: storage}, own: {source: instance}, scratch: {source: temporary}}
    web: {commands: {start: x}}
    workers: {w: {commands: {start: x}}}
  two:
    type: nodejs:24
    hooks: {deploy: make two}
    mounts: {theirs: {source: storage, service: three, source_path: media}, all: {source: storage, source_path: ""}}
    web: {commands: {start: x}}
  three:
    type: nodejs:24
    mounts: {media: {source: storage}, rest: {source: storage}, own: {source: instance}}
    web: {commands: {start: x}}
  four:
    type: nodejs:24
    hooks: {deploy: make four}
    mounts: {files: {source: service, service: files, source_path: a}}
    web: {commands: {start: x}}
services: {files: {type: "network-storage:2.0"}}
routes: {"https://{default}/": {type: upstream, upstream: "one:http"}}
"""


def test_it_has_all_that_deploy_hooks_write_into_whosever_storage_it_is() -> None:
    assert folders_of(config()) == (
        "one/own",              # of the instance
        "shared/files/a",       # of a network storage
        "shared/one/up",        # storage of the application itself, which its workers have too
        "shared/three/media",   # storage of another one that has no hook; what only that one mounts is left out
        "shared/two",
    )


def test_how_to_put_them_back_is_on_the_disk_before_the_snapshot_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").read_text()))
    (tmp_path / FOLDER).mkdir()
    deployment = SimpleNamespace(
        project=SimpleNamespace(id="shop"), environment=EnvironmentId.read("shop/main"), id=7,
        version=SimpleNamespace(uid=23_456),
    )
    host = SimpleNamespace(places=Places(tmp_path / "state", tmp_path / "run"))
    write_request(cast(Any, deployment), cast(Any, host), [(0, "shared/one/up")], tmp_path)
    written = (tmp_path / FOLDER / REQUEST).read_text()
    assert synced == [written]
    assert json.loads(written)["folders"] == [[0, "shared/one/up"]]


def config() -> ProjectConfig:
    result = read_project(DictTree({".upsun/config.yaml": APPLICATIONS}))
    assert result.config is not None, "\n".join(render_findings(result.errors))
    return result.config
