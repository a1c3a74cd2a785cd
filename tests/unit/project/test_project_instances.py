# ruff: noqa: E501   rows of tables are lines
"""Web instance and workers: what each has, and what it takes from the application."""

from __future__ import annotations

import pytest

from deployd.project.findings.report import render_findings
from deployd.project.model import Application, Commands, Cron, Extension, FirewallRule, Hook, Mount
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree


def app(text: str, services: str = "") -> Application:
    files = {".platform.app.yaml": text, ".platform/services.yaml": services}
    result = read_project(DictTree(files, folders=["code"]))
    assert result.config is not None, "\n".join(render_findings(result.errors))
    return result.config.applications[0]


FULL = """
name: app
type: nodejs:24
size: M
disk: 1024
timezone: Europe/Paris
relationships: {db: 'mysql:mysql'}
mounts: {var: {source: local}}
variables: {env: {A: 1, B: [x, {y: z}]}, other: {c: null}}
additional_hosts: {a.example.com: 192.0.2.1}
access: {ssh: admin}
web:
    commands: {start: node web, pre_start: warm, post_start: wait}
    size: L
    variables: {env: {A: 2}}
workers:
    queue:
        commands: {start: node queue}
    mails:
        commands: {start: node mails}
        disk: 512
        size: S
        mounts: {}
        relationships: {}
        timezone: UTC
"""
MYSQL = "mysql: {type: mariadb:11.8, disk: 1024}"


def test_a_worker_takes_what_it_does_not_say_from_the_application() -> None:
    queue = app(FULL, MYSQL).workers[0].instance
    assert (queue.size, queue.disk_mb, queue.timezone) == ("M", 1024, "Europe/Paris")
    assert [mount.path for mount in queue.mounts] == ["var"]
    assert [relationship.name for relationship in queue.relationships] == ["db"]
    assert queue.variables == {"env": {"A": 1, "B": ["x", {"y": "z"}]}, "other": {"c": None}}
    assert queue.commands == Commands("node queue")


def test_what_an_instance_says_replaces_the_whole_value() -> None:
    found = app(FULL, MYSQL)
    web, mails = found.web.instance, found.workers[1].instance
    assert (web.size, web.variables) == ("L", {"env": {"A": 2}})
    assert (mails.size, mails.disk_mb, mails.mounts, mails.relationships, mails.timezone) == ("S", 512, (), (), "UTC")
    assert web.commands == Commands("node web", "warm", "wait")
    assert web.additional_hosts == {"a.example.com": "192.0.2.1"}
    assert web.access == {"ssh": "admin"}


def test_all_mounts_are_those_of_all_instances() -> None:
    assert [mount.path for mount in app(FULL, MYSQL).all_mounts()] == ["var", "var"]


def test_mounts_come_in_two_forms_and_are_one() -> None:
    found = app("""
name: app
type: php:8.4
disk: 512
web: {locations: {/: {root: x}}}
mounts:
    var: "shared:files/var"
    "/app/etc/": "shared:files/etc"
    all: "shared:files"
    new: {source: local}
    "/tmp": {source: temporary, source_path: ''}
    up/loads: {source: instance, source_path: /deep/er/}
""").web.instance.mounts
    assert [Mount(m.path, m.source, m.source_path) for m in found] == [
        Mount("var", "local", "var"), Mount("app/etc", "local", "etc"), Mount("all", "local", ""), Mount("new", "local", "new"),
        Mount("tmp", "tmp", ""), Mount("up/loads", "local", "deep/er"),
    ]


def test_a_network_storage_is_mounted_by_its_name() -> None:
    found = app("name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\nmounts: {files: {source: service, service: nfs, source_path: a}}",
                "nfs: {type: network-storage:1.0, disk: 512}").web.instance.mounts[0]
    assert (found.source, found.service, found.source_path) == ("service", "nfs", "a")


def test_hooks_crons_and_runtime_are_normalised() -> None:
    found = app("""
name: app
type: php:8.4
web: {locations: {/: {root: x}}}
hooks: {build: "make\\n", deploy: '', post_deploy: null}
crons:
    old: {spec: '*/5 * * * *', cmd: make old}
    new: {spec: 'H 3 * jan-mar MON-FRI', commands: {start: make new, stop: make stop}, shutdown_timeout: 20, timeout: 60}
runtime:
    extensions: [redis, {name: blackfire, configuration: {a: 1}}]
    disabled_extensions: [xsl]
    sizing_hints: {request_memory: 60}
    request_terminate_timeout: 30
dependencies: {php: {require: {a: '*'}}, nodejs: {yarn: 1.22}}
""")
    assert found.hooks.build == Hook("make\n", found.hooks.build.place if found.hooks.build else found.place)
    assert (found.hooks.deploy, found.hooks.post_deploy) == (None, None)
    old, new = found.crons
    assert (old.start, old.stop, old.shutdown_timeout_seconds, old.timeout_seconds) == ("make old", None, 10, 86_400)
    assert new == Cron("new", "H 3 * jan-mar MON-FRI", "make new", "make stop", 20, 60, new.place)
    assert found.runtime.extensions == (Extension("redis"), Extension("blackfire", {"a": 1}))
    assert (found.runtime.request_memory_mb, found.runtime.reserved_memory_mb) == (60, 70)
    assert found.dependencies == {"php": {"require": {"a": "*"}}, "nodejs": {"yarn": 1.22}}


def test_the_flavor_is_that_of_the_runtime() -> None:
    def flavor(kind: str, build: str = "") -> str:
        return app(f"name: app\ntype: {kind}\nworkers: {{a: {{commands: {{start: x}}}}}}\n{build}").build.flavor

    assert [flavor("php:8.4"), flavor("nodejs:24"), flavor("python:3.14"), flavor("golang:1.26")] == ["composer", "default", "none", "none"]
    assert flavor("php:8.4", "build: {flavor: none}") == "none"
    assert flavor("php:8.4", "build: {flavor: drupal}") == "none"
    assert flavor("python:3.14", "build: {flavor: default}") == "none"


@pytest.mark.parametrize(("rule", "code"), [
    ("domains: [api.example.com, 'API2.example.com.', 'bücher.example']", ""), ("domains: ['*.example.com']", "bad-name"),
    ("domains: ['https://example.com/']", "bad-name"), ("domains: [localhost]", "bad-name"),
    ("domains: [192.0.2.7]", "bad-name"), ("domains: ['a;accept.example']", "bad-name"), ("domains: []", "empty-rule"),
    ("ips: []", "empty-rule"), ("ports: [25]", "not-honoured"), ("protocol: udp, ports: [53]", "not-allowed"),
    ("ports: [" + "443, " * 201 + "]", "too-large"),
    ("domains: [" + "a.example, " * 150 + "]}, {ips: [" + "192.0.2.1, " * 51 + "]", "too-large"),
])
def test_a_rule_of_the_firewall_names_what_can_be_kept(rule: str, code: str) -> None:
    result = read_project(DictTree({".platform.app.yaml": f"name: app\ntype: php:8.4\nweb: {{locations: {{/: {{root: x}}}}}}\nfirewall: {{outbound: [{{{rule}}}]}}\n"}))
    assert {item.code for item in (*result.errors, *result.warnings)} == ({code} if code else set())
    if result.config and not code:
        [found] = result.config.applications[0].web.instance.firewall or ()
        assert found.domains == ("api.example.com", "api2.example.com", "xn--bcher-kva.example")


def test_a_firewall_without_rules_for_the_way_out_says_nothing_and_an_empty_list_closes_it() -> None:
    assert app("name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\nfirewall: {}").web.instance.firewall is None
    assert app("name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\nfirewall: {outbound: []}").web.instance.firewall == ()


def test_firewall_rules_are_networks() -> None:
    found = app("name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\nfirewall: {outbound: [{ips: [192.0.2.7, '10.0.0.0/8'], ports: [443]}]}")
    assert found.web.instance.firewall == (FirewallRule("tcp", ("192.0.2.7/32", "10.0.0.0/8"), (), (443,)),)
    assert app("name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}").web.instance.firewall is None


def test_the_root_is_the_folder_of_the_file_unless_the_source_says_otherwise() -> None:
    text = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"
    assert app(text).root == ""
    assert app(text + "source: {root: /code/}").root == "code"
    assert app(text + "source: {root: /}").root == ""


@pytest.mark.parametrize(("name", "accepted"), [
    ("project.make", False), ("project.make.yml", False), ("drupal-org-core.make", False), ("shop.profile", False),
    ("sub/project.make", True), ("index.php", True), ("remake.php", True),
])
def test_the_flavor_of_drupal_is_refused_only_where_there_is_something_to_make(name: str, accepted: bool) -> None:
    text = "name: shop\ntype: php:8.4\nbuild: {flavor: drupal}\nsource: {root: /}\n"
    result = read_project(DictTree({".platform.app.yaml": text, name: ""}))
    assert (result.config is not None) == accepted
    assert any("`drupal`" in finding.what for finding in result.findings)


@pytest.mark.parametrize(("vcl", "said"), [
    ("vcl 4.1;\n", "a version line"), ("import std;\n", "an import"), ("sub vcl_init { }\n", "a subroutine"),
    ("# vcl 4.1;\n/* an example:\nvcl 4.1;\nimport std;\nsub vcl_init { }\n*/\n// import std;\n", ""),
    ("import xkey;\nsub vcl_fini { }\n", ""),
])
def test_parts_of_a_vcl_that_are_generated_are_warned_of_unless_they_are_comments(vcl: str, said: str) -> None:
    text = vcl + "sub vcl_recv { set req.backend_hint = app.backend(); }\n"
    result = read_project(DictTree({
        ".platform.app.yaml": "name: shop\ntype: php:8.4\n", ".platform/config.vcl": text,
        ".platform/services.yaml": "cache:\n  type: varnish:6.0\n  relationships: {app: 'shop:http'}\n"
                                   "  configuration: {vcl: !include {type: string, path: config.vcl}}\n",
    }))
    found = [finding.what for finding in result.findings if finding.code == "bad-vcl"]
    assert result.config is not None
    assert [what.startswith(f"the VCL has {said}") for what in found] == ([True] if said else [])
