# ruff: noqa: E501   the YAML below reads better in long lines
"""docs/configuration.md is made from the code, and both are complete."""

from __future__ import annotations

import ast
import os
from importlib import import_module
from pathlib import Path

import pytest

from deployd.project import documentation
from deployd.project.documentation import SECTIONS, with_generated
from deployd.project.fields import fields as shape
from deployd.project.fields.keys import Table
from deployd.project.findings.codes import CODES
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree
from tests.support.corpus import REPOSITORY

PAGE = REPOSITORY / "docs" / "configuration.md"
SOURCES = sorted((REPOSITORY / "deployd" / "project").rglob("*.py"))
CASES = sorted((Path(__file__).parents[1] / "expected" / "project").glob("*.txt"))


def test_the_page_is_current() -> None:
    text = PAGE.read_text()
    if os.environ.get("UPDATE_EXPECTED"):
        PAGE.write_text(with_generated(text))
    else:
        assert with_generated(text) == text, "make it anew: UPDATE_EXPECTED=1 pytest " + __file__


def test_every_table_of_the_reader_is_on_the_page() -> None:
    shown = {id(table) for _, tables in SECTIONS for table in tables}
    for source in SOURCES:
        if source.stem in ("documentation", "magento_env"):
            continue
        module = import_module(".".join(source.relative_to(REPOSITORY).with_suffix("").parts))
        for name, value in vars(module).items():
            if isinstance(value, Table):
                assert id(value) in shown, f"{source.stem}.{name}"


def test_every_documented_code_is_used() -> None:
    """The other way round is an assertion where findings are collected."""
    constants = {
        node.value for source in SOURCES if source.stem != "codes"
        for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(CODES) - constants == {"no-such-schema", "no-such-database"}   # `no-such-{noun}`


def test_every_honoured_key_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that stands in a table and that nobody asks for would be ignored silently."""
    asked: set[tuple[str, str]] = set()
    get = shape.Fields.get

    def noting(self: shape.Fields, name: str) -> shape.Field | None:
        asked.add((self.table.name, name))
        return get(self, name)

    monkeypatch.setattr(shape.Fields, "get", noting)
    for path in CASES:
        parts = {part.partition("\n")[0].strip(): part.partition("\n")[2] for part in path.read_text().split("=== ")[1:]}
        read_project(DictTree(parts))
    everything = {".platform.app.yaml": EVERYTHING, ".platform/services.yaml": EVERY_SERVICE, ".platform/routes.yaml": EVERY_ROUTE}
    result = read_project(DictTree(everything | {".deployd.yaml": EVERY_CHECK}))
    assert not result.errors, result.errors
    missing = [(table.name, key.name) for _, tables in documentation.SECTIONS for table in tables for key in table.keys
               if key.treatment != "refused" and (table.name, key.name) not in asked]
    assert not missing


EVERY_CHECK = """
checks:
    smoke:
        home: {path: /, method: HEAD, host: x, headers: {X-A: b}, body: x, app: app, status: 200, contains: x, matches: x, timeout: 5}
        queue: {command: x, answer_headers: {X-A: b}, before_switch: true}
    watch_seconds: 60
    on_bad_release: revert
    types: [production]
"""
EVERYTHING = """
name: app
type: php:8.4
runtime: {extensions: [{name: redis}], disabled_extensions: [], sizing_hints: {request_memory: 45}, xdebug: {idekey: x}}
web:
    commands: {start: x, pre_start: x, post_start: x}
    upstream: {socket_family: tcp, protocol: http}
    locations: {/: {root: x, request_buffering: {enabled: true}, rules: {a: {allow: true}}}}
workers: {w: {commands: {start: x}}}
source: {root: '/', operations: {a: {command: x}}}
operations: {a: {commands: {start: x}, role: admin, timeout: 5}}
build: {flavor: none, caches: {a: {watch: [x]}}}
crons: {a: {spec: '* * * * *', commands: {start: x, stop: x}}}
preflight: {enabled: true}
resources: {base_memory: 1}
firewall: {outbound: [{ports: [1]}]}
"""
EVERY_SERVICE = """
mercure: {type: 'mercure:0', disk: 512, configuration: {anonymous: true, cors_origins: []}}
click: {type: 'clickhouse:26.3', disk: 512, configuration: {databases: [a], endpoints: {e: {default_database: a, port: 9000, privileges: {a: ro}}}}}
search: {type: 'opensearch:3', disk: 512, configuration: {authentication: {enabled: true}, plugins: []}}
pg: {type: 'postgresql:18', disk: 512, configuration: {databases: [a], endpoints: {e: {default_database: a, privileges: {a: ro}}}, extensions: [x]}}
vault: {type: 'vault-kms:1.12', disk: 512, configuration: {endpoints: {e: [{policy: sign, key: a, type: sign}]}}}
solr: {type: 'solr:9.9', disk: 512, configuration: {core_config: eA==, cores: {a: {core_properties: x}}, configsets: {}, modules: [], endpoints: {e: {core: a}}}}
figures: {type: 'clickhouse:26.3', disk: 512, configuration: {databases: [a], endpoints: {e: {default_database: a, port: 9000, privileges: {a: ro}}}}}
"""
EVERY_ROUTE = """
"https://{default}/":
    type: upstream
    upstream: "app:http"
    ssi: {enabled: true}
    sticky: {enabled: true}
    tls: {strict_transport_security: {enabled: true, include_subdomains: true, preload: true}}
    cache: {enabled: true}
    redirects: {paths: {/a: {to: /b}}}
"""
