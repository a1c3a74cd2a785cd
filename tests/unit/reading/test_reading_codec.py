"""What a reader answers, as plain data and back: the same values, and nothing that is not of that shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployd.project.model import Endpoint, Place, ProjectConfig, ReadResult, RedisConfiguration, Service
from deployd.project.reader import read_project
from deployd.reading.codec import NotOfThatShape, as_plain, from_plain
from deployd.reading.reader_pool import OfferRead
from tests.doubles.trees import DictTree
from tests.support.corpus import CorpusProject, corpus_projects
from tests.unit.project.test_project_accepts_and_rejects import ROWS, Row

PLACE = {"file": "a"}


def there_and_back(result: ReadResult) -> ReadResult:
    return from_plain(ReadResult, json.loads(json.dumps(as_plain(result))))


@pytest.mark.parametrize("project", list(corpus_projects()), ids=lambda project: project.name)
def test_a_result_comes_back_as_it_was(project: CorpusProject) -> None:
    result = read_project(project.tree)
    assert there_and_back(result) == result
    assert repr(there_and_back(result)) == repr(result), "digests of services are made of this"


@pytest.mark.parametrize("row", ROWS, ids=[row.number for row in ROWS])
def test_every_kind_of_setting_and_of_error_comes_back_as_it_was(row: Row) -> None:
    result = read_project(DictTree(row.files))
    assert repr(there_and_back(result)) == repr(result)


def test_an_endpoint_without_privileges_is_written_as_before() -> None:
    for endpoint in (Endpoint("redis"), Endpoint("mysql", "main", {}), Endpoint("mysql", "main", {"main": "ro"})):
        assert repr(from_plain(Endpoint, as_plain(endpoint))) == repr(endpoint)


def test_a_name_that_is_not_utf_8_comes_back() -> None:
    place = Place("folder-\udcff/.platform.app.yaml", 1, 2)
    assert from_plain(Place, json.loads(json.dumps(as_plain(place)))) == place


@pytest.mark.parametrize("data", [
    None, [], "text", 1, {}, {"config": 1}, {"config": None, "findings": {}}, {"config": None, "findings": [1]},
    {"config": None, "findings": [{"severity": "fatal", "code": "x", "place": PLACE, "what": ""}]},
    {"config": None, "findings": [{"severity": "error", "code": 1, "place": PLACE, "what": ""}]},
    {"config": None, "findings": [{"severity": "error", "code": "x", "what": "", "place": {"file": "a", "line": "1"}}]},
    {"config": None, "findings": [{"severity": "error", "code": "x", "what": "", "place": {"file": "", "line": True}}]},
    {"config": None, "findings": [{"severity": "error", "code": "x", "place": {"file": "a", "x": 1}, "what": ""}]},
    {"config": None, "findings": [{"severity": "error", "code": "x", "what": ""}]},
    {"config": None, "__class__": "os.system"},
    {"config": {"dialect": {"name": "evil", "app_file": "", "folder": "", "variable_prefix": ""}, "applications": []}},
    {"config": {"dialect": ["magento"], "applications": []}},
    {"config": {"applications": [], "dialect": None}},
])
def test_a_reader_that_was_taken_over_cannot_answer_with_anything_else(data: Any) -> None:
    with pytest.raises(NotOfThatShape):
        from_plain(ReadResult, data)


@pytest.mark.parametrize("data", [
    {"branch": 1, "listings": {}, "result": {"config": None}},
    {"branch": "main", "listings": {"": 1}, "result": {"config": None}},
    {"branch": "main", "listings": [], "result": {"config": None}},
])
def test_nor_with_anything_else_about_an_offer(data: Any) -> None:
    with pytest.raises(NotOfThatShape):
        from_plain(OfferRead, data)


def test_a_mapping_where_a_list_belongs_is_no_list() -> None:
    with pytest.raises(NotOfThatShape):
        from_plain(ProjectConfig, {
            "dialect": {"name": "magento", "app_file": "", "folder": "", "variable_prefix": ""}, "applications": {},
        })


@pytest.mark.parametrize("configuration", [
    {}, {"os.system": {}}, {"RedisConfiguration": {"maxmemory_policy": 1}}, {"RedisConfiguration": []},
    {"RedisConfiguration": {}, "MercureConfiguration": {}}, {"Service": {}}, "RedisConfiguration",
])
def test_a_configuration_of_a_service_is_of_one_of_its_classes(configuration: Any) -> None:
    service = {"name": "it", "kind": "redis", "version": "8.0", "type": "redis:8.0"}
    wanted = {**service, "configuration": {"RedisConfiguration": {"maxmemory_policy": "noeviction"}}}
    assert from_plain(Service, wanted).configuration == RedisConfiguration("noeviction")
    assert as_plain(from_plain(Service, wanted)) == wanted
    with pytest.raises(NotOfThatShape):
        from_plain(Service, {**service, "configuration": configuration})
