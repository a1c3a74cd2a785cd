"""Digests of services stay what they were: with another one, an upgrade of deployd makes every such container anew."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deployd.ids import ProjectId
from deployd.project.model import ReadResult, Service
from deployd.project.reader import read_project
from deployd.reading.codec import as_plain, from_plain
from deployd.release.digests import service_digest
from deployd.release.images_missing import NO_CONTAINER
from deployd.release.services.parts import announced_version, parts_of
from deployd.settings import ProjectSettings, Settings
from tests.doubles.trees import DictTree

PROJECT = ProjectSettings(id=ProjectId("shop"))
APP = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"
EVERY_PROPERTY = (
    "{wsrep_sync_wait: 1, table_open_cache: 500, table_definition_cache: 600, max_heap_table_size: 64,"
    " innodb_adaptive_hash_index: 1, optimizer_use_condition_selectivity: 3, optimizer_switch: 'mrr=on',"
    " default_collation: latin1_bin, default_charset: latin1, max_allowed_packet: 64}"
)
SCHEMAS = (
    "schemas: [shop, stock], endpoints: {admin: {default_schema: shop, privileges: {shop: admin, stock: rw}},"
    " bare: , reporter: {privileges: {shop: ro}}}"
)
DIGESTS = (
    ("mariadb:11.8", "disk: 512", "7e9aee1273378d79"),
    ("mysql:10.6", "disk: 512, size: L", "bd1a2b49abdb5872"),
    ("mariadb:11.8", f"disk: 512, configuration: {{properties: {EVERY_PROPERTY}}}", "0c19c5c8ada3acbd"),
    ("mariadb:11.8", "disk: 512, configuration: {properties: {max_allowed_packet: 64}}", "e5a40cb4b8555777"),
    ("mariadb:11.8", "disk: 512, configuration: {properties: {default_charset: utf8mb4}}", "7e90bd4c7f228a30"),
    (
        "mariadb:11.8",
        "disk: 512, configuration: {properties: {default_charset: '', optimizer_switch: ''}}",
        "c11b4405ff85b342",
    ),
    ("mariadb:11.8", "disk: 512, configuration: {properties: {default_collation: utf8mb4_bin}}", "9d89fb71d191b677"),
    ("mariadb:11.8", "disk: 512, configuration: {schemas: [shop]}", "5c43e529d94edc4a"),
    ("mariadb:11.8", f"disk: 512, configuration: {{{SCHEMAS}}}", "5166487938381af9"),
    ("postgresql:16", "disk: 512", "10bc013bc067f7a2"),
    ("postgresql:16", "disk: 512, configuration: {default_ctype: C}", "10bc013bc067f7a2"),
    # Another one than it was: an extension that was added to a live service was not made in it.
    ("postgresql:16", "disk: 512, configuration: {extensions: [pg_trgm], default_ctype: C}", "b2e903f5defc76a1"),
    ("postgresql:16", f"disk: 512, configuration: {{{SCHEMAS.replace('schema', 'database')}}}", "e25a8a0c0066bf50"),
    ("redis:7.2", "", "18cfd9c7903124ee"),
    ("redis:7.2", "configuration: {maxmemory_policy: noeviction}, size: S", "c14409bee8962ff1"),
    ("redis-persistent:7.2", "disk: 256", "2e9b3f7b5601d4f1"),
    ("valkey:8.0", "configuration: {maxmemory_policy: volatile-ttl}", "281f52629a3a323a"),
    ("valkey-persistent:8.0", "disk: 256, configuration: {}", "e9bb8c7a2bb590e5"),
    ("rabbitmq:4.1", "disk: 512", "cb747e1b53fb89ac"),
    ("rabbitmq:4.1", "disk: 512, configuration: {vhosts: [a, b]}", "9912541f91e41076"),
    ("network-storage:2.0", "disk: 512", "851103cc11cc18c9"),
)
"""(type, what project files say of it beside, its digest in deployd 0.1.0)"""


@pytest.mark.parametrize(("kind", "beside", "digest"), DIGESTS)
def test_the_container_of_a_service_is_kept_over_an_upgrade(kind: str, beside: str, digest: str) -> None:
    services = f"it: {{type: '{kind}', {beside}}}\n"
    result = read_project(DictTree({".platform.app.yaml": APP, ".platform/services.yaml": services}))
    assert _digest(_service(result)) == digest
    from_a_reader = from_plain(ReadResult, json.loads(json.dumps(as_plain(result))))
    assert _digest(_service(from_a_reader)) == digest


def _service(result: ReadResult) -> Service:
    assert result.config is not None, result.errors
    return result.config.services[0]


def _digest(service: Service) -> str:
    settings = Settings(directory=Path("/srv/deployd"))
    parts = None if service.kind in NO_CONTAINER else parts_of(settings, PROJECT, service, service.version)
    return service_digest(settings, service, "sha256:0123", parts)


def test_a_database_announces_what_was_asked_for_only_where_another_one_stands_in_and_the_operator_wants_it() -> None:
    wanted = Settings.model_validate({"directory": "/srv", "announce_asked_version": True, "projects": {
        "shop": {}, "honest": {"announce_asked_version": False},
    }})
    shop, honest = wanted.projects[ProjectId("shop")], wanted.projects[ProjectId("honest")]
    asked = Service("db", "mariadb", "10.6", "mysql:10.6")
    command = parts_of(wanted, shop, asked, "10.11").command
    assert command is not None
    assert command[-1] == "--version=10.6.0-MariaDB"
    assert announced_version(wanted, shop, replace(asked, version="11"), "11.8") == "11.0.0-MariaDB"
    for settings, project, runs in ((wanted, shop, "10.6"), (wanted, honest, "10.11"), (Settings(), shop, "10.11")):
        assert announced_version(settings, project, asked, runs) is None
    assert announced_version(wanted, shop, Service("db", "postgresql", "16", "postgresql:16"), "17") is None
