"""What is advised can be run here, and leads forwards."""

from __future__ import annotations

from datetime import date

import pytest

from deployd.catalogue import load_catalogue
from deployd.project.offered.runtimes import VERSIONS
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.offered.support import known_ends
from deployd.project.reader import read_project
from deployd.release.images_missing import images_missing, instead_of, kept_versions, versions_there
from deployd.release.version import ServiceVersion
from deployd.services.families import RUNNABLE
from deployd.settings import config_folder
from tests.doubles.trees import DictTree
from tests.support.small_catalogue import small_catalogue

CATALOGUE = small_catalogue()
OURS = load_catalogue(config_folder() / "catalogue.yaml")
THERE = versions_there(CATALOGUE)
NOBODY_KNOWS = None


def mend_of(kind: str, *, service: bool = False, there: object = THERE) -> str:
    files = {".platform.app.yaml": f"name: shop\ntype: '{'php:8.4' if service else kind}'\n"}
    if service:
        files[".platform/services.yaml"] = f"db: {{type: '{kind}', disk: 1024}}\n"
    found = read_project(DictTree(files), there=there).findings  # type: ignore[arg-type]
    return next(finding.hint for finding in found if finding.key.endswith("type"))


@pytest.mark.parametrize(("kind", "hint"), [
    ("nodejs:18", "plan the way to `nodejs:20`"), ("nodejs:20", "there is nothing newer to go to yet"),
    ("nodejs:0.12", "plan the way to `nodejs:20`"), ("php:8.2", "plan the way to `php:8.4`"),
    ("php:8.6", "did you mean `php:8.4`? This host has: `php:8.2` or `php:8.4`"),
    ("nodejs", "write `nodejs:20`; there are `18` and `20`"), ("ruby:3.1", "this host has no ruby at all"),
    ("ruby", "this host has no ruby at all"), ("ruby:9", "this host has no ruby at all"),
    ("pyton:3.13", "did you mean `python:3.13`?"),
])
def test_a_runtime_that_is_advised_is_there(kind: str, hint: str) -> None:
    assert mend_of(kind) == hint


@pytest.mark.parametrize(("kind", "hint"), [
    ("network-storage:2.0", "there is nothing newer to go to yet"),
    ("network-storage:0.2", "plan the way to `network-storage:1.0`"),
    ("mysql:10.2", "plan the way to `mysql:11.8`"), ("mariadb:10.11", "plan the way to `mariadb:11.8`"),
    ("rabbitmq:3.13", "plan the way to `rabbitmq:4.0`"), ("rabbitmq:4.1", "there is nothing newer to go to yet"),
    ("postgresql:9.6", "plan the way to `postgresql:17`"), ("redis:6.2", "plan the way to `redis:8.0`"),
])
def test_a_service_that_is_advised_is_there_and_newer(kind: str, hint: str) -> None:
    assert mend_of(kind, service=True) == hint


@pytest.mark.parametrize(("kind", "hint"), [
    ("nodejs:18", "plan the way to `nodejs:26`"), ("rust:1.93", "plan the way to `rust:1`"),
    ("lisp:2.1", "plan the way to another runtime"),
    ("nodejs:99", "did you mean `nodejs:26`? Supported today: `nodejs:24` or `nodejs:26`"),
])
def test_where_nobody_knows_what_is_there_the_platforms_versions_are_advised(kind: str, hint: str) -> None:
    assert mend_of(kind, there=NOBODY_KNOWS) == hint


def test_all_that_is_missing_is_told_also_of_files_that_are_wrong() -> None:
    files = {
        ".platform/applications.yaml": (
            "one: {type: 'ruby:3.3', source: {root: /}}\n"
            "two: {type: 'php:8.4', runtime: {extensions: [imap]}, source: {root: /}}\n"
            "three: {type: 'golang:1.8', hokes: {}, source: {root: /}}\nfour: {type: 'nodejs:7', source: {root: /}}\n"
        ),
        ".platform/services.yaml": (
            "db: {type: 'mariadb:12.3', disk: 512}\nfind: {type: 'elasticsearch-enterprise:8.19', disk: 512}\n"
        ),
    }
    result = read_project(DictTree(files), runnable=RUNNABLE, there=THERE)
    assert result.config is None
    refusals, _ = images_missing(CATALOGUE, result.images, nearest=False, services="refuse")
    assert [refusal.name for refusal in refusals] == [
        "ruby:3.3", "the extension imap", "golang:1.8", "mariadb:12.3",
    ], "what is wrong by itself (nodejs:7, elasticsearch-enterprise) is told once"
    assert all(refusal.place.line for refusal in refusals)


@pytest.mark.parametrize(("kind", "said"), [
    ("nodejs:14", "nodejs:14 has had no security updates since April 2023; plan the way to nodejs:26"),
    ("nodejs:13", ""), ("java:19", ""), ("golang:1.17", "golang:1.19 has had no security updates since September 2023"),
    ("nodejs:20", "nodejs:20 has had no security updates since April 2026"), ("nodejs:22", ""),
])
def test_who_runs_what_its_makers_mend_no_more_is_told_since_when(kind: str, said: str) -> None:
    config = read_project(DictTree({".platform.app.yaml": f"name: shop\ntype: '{kind}'\n"})).config
    asked = config.images_asked() if config else []
    for today, told in ((date(2026, 5, 1), said), (date(2010, 1, 1), ""), (None, "")):
        _, said_then = images_missing(OURS, asked, nearest=True, services="refuse", today=today)
        warnings = [line for line in said_then if "since" in line]
        assert told in "".join(warnings)
        assert bool(warnings) == bool(told)
    mended = images_missing(OURS, asked, nearest=True, services="refuse", today=date(2026, 4, 30))[1]
    assert not [line for line in mended if "nodejs:20" in line], "its last month is not over"


def test_every_end_of_support_is_of_a_version_that_projects_may_name() -> None:
    offered = VERSIONS | {name: known.versions for name, known in SERVICE_TYPES.items()}
    for name, ended in known_ends().items():
        assert not [version for version in ended if version not in offered[name].all], name
        assert not SERVICE_TYPES[name].means if name in SERVICE_TYPES else True, "asked for by the name of its kind"


@pytest.mark.parametrize(("kind", "said"), [
    ("python:3.8", " (with python:3.11, as this host has no python:3.8)"), ("python:3.13", ""), ("ruby:3.3", ""),
])
def test_what_fails_on_the_nearest_runtime_says_so_again(kind: str, said: str) -> None:
    config = read_project(DictTree({".platform.app.yaml": f"name: shop\ntype: '{kind}'\n"})).config
    assert config is not None
    assert instead_of(CATALOGUE, config.applications[0]) == said


def test_a_live_service_between_two_versions_stays_where_its_data_are() -> None:
    files = {".platform.app.yaml": "name: shop\ntype: 'php:8.4'\n",
             ".platform/services.yaml": "db: {type: 'postgresql:16', disk: 512}\n"}
    config = read_project(DictTree(files)).config
    assert config is not None
    live = [ServiceVersion("db", "postgresql:17", "", ""), ServiceVersion("gone", "redis:8.0", "", "")]
    kept = kept_versions(live, config.services)
    assert kept == {"db": "17"}
    for known, taken in ((kept, "17"), ({}, "15")):
        _, [warning] = images_missing(CATALOGUE, config.images_asked(), nearest=True, services="nearest", kept=known)
        assert f"postgresql:{taken}, the nearest, is used instead" in warning
    assert kept_versions([ServiceVersion("db", "mariadb:11.8", "", "")], config.services) == {}
