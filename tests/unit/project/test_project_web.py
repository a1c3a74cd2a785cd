# ruff: noqa: E501   rows of tables are lines
"""Locations, rules and upstreams as values."""

from __future__ import annotations

import pytest

from deployd.project.findings.report import render_findings
from deployd.project.model import Location, RequestBuffering, Rule, Web
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree


def web(text: str, kind: str = "php:8.4") -> Web:
    result = read_project(DictTree({".platform.app.yaml": f"name: app\ntype: {kind}\n{text}"}))
    assert result.config is not None, "\n".join(render_findings(result.errors))
    return result.config.applications[0].web


def location(text: str) -> Location:
    return web(f"web: {{locations: {{/a: {text}}}}}").locations[0]


def test_defaults_of_a_location() -> None:
    assert location("{root: pub}") == Location("/a", "pub", False, (), -1, True, True, {}, RequestBuffering(), ())
    assert location("{}").passthru is True
    assert location("null").passthru is True


def test_everything_of_a_location() -> None:
    found = location("""{root: /pub/../.. , passthru: /index.php, index: [index.php, index.html], expires: 5m, allow: false, scripts: false,
        headers: {X-A: b}, request_buffering: {enabled: false, max_request_size: 1k},
        rules: {'\\.css$': {allow: true, expires: 1d, headers: {}, passthru: true, scripts: false}, x: {}}}""".replace("/pub/../.. ", "pub/ "))
    assert (found.root, found.passthru, found.index, found.expires_seconds) == ("pub", "/index.php", ("index.php", "index.html"), 300)
    assert (found.allow, found.scripts, found.headers) == (False, False, {"X-A": "b"})
    assert found.request_buffering == RequestBuffering(False, 1024)
    assert found.rules == (Rule("\\.css$", True, True, False, 86_400, {}), Rule("x"))


def test_the_socket_of_php_is_a_unix_socket() -> None:
    php, node = web("web: {locations: {/: {root: x}}}"), web("web: {commands: {start: x}}", "nodejs:24")
    assert (php.socket_family, php.protocol) == ("unix", "fastcgi")
    assert (node.socket_family, node.protocol) == ("tcp", "http")
    both = web("web: {commands: {start: x}, upstream: {socket_family: unix, protocol: http}}", "python:3.14")
    assert (both.socket_family, both.protocol) == ("unix", "http")


def test_an_application_with_a_start_command_and_no_locations_gets_everything() -> None:
    assert web("web: {commands: {start: x}}", "nodejs:24").locations == (Location("/", passthru=True),)
    assert web("workers: {a: {commands: {start: x}}}", "nodejs:24").locations == ()


def test_the_keys_of_before_2016_become_the_first_location() -> None:
    found = web("web: {document_root: /public, passthru: /index.php, index_files: [a.html], whitelist: ['\\.css$'], blacklist: ['\\.php$'], expires: 1d}")
    assert found.locations == (Location(
        "/", "public", "/index.php", ("a.html",), 86_400, allow=False, rules=(Rule("\\.php$", allow=False), Rule("\\.css$", allow=True)),
    ),)


@pytest.mark.parametrize(("text", "seconds"), [
    ("-1", -1), ("0", 0), ("600", 600), ('"600"', 600), ("500ms", 0), ("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("2w", 1_209_600),
    ("3M", 7_776_000), ("1y", 31_536_000),
])
def test_durations(text: str, seconds: int) -> None:
    assert location(f"{{root: x, expires: {text}}}").expires_seconds == seconds


@pytest.mark.parametrize(("text", "size"), [("100", 100), ("8K", 8192), ("250m", 262_144_000), ("1G", 1 << 30), ("10MB", 10 << 20)])
def test_sizes(text: str, size: int) -> None:
    assert location(f"{{root: x, request_buffering: {{max_request_size: {text}}}}}").request_buffering.max_request_size_bytes == size
