"""`.deployd.yaml`: what of it is read, what is refused, and that it is deployd's own business."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.cli.disk_tree import DiskTree
from deployd.project.model import Checks, SmokeTest
from deployd.project.reader import read_project
from deployd.project.tree.limits import TreeLimits
from deployd.reading.codec import as_plain, from_plain
from deployd.reading.trees import CommitTree
from tests.doubles.trees import DictTree

APP = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: public}}}\n"
HOME = "checks: {smoke: {home: %s}}\n"


def read(text: str) -> tuple[Checks | None, list[tuple[str, str]]]:
    result = read_project(DictTree({".platform.app.yaml": APP, ".deployd.yaml": text}))
    return result.config.checks if result.config else None, [
        (item.code, str(item.place)) for item in result.findings]


def test_both_kinds_of_tests_are_read_with_their_defaults() -> None:
    checks, findings = read("""\
checks:
    watch_seconds: 90
    on_bad_release: revert
    types: [production, staging]
    smoke:
        home: {path: "/?a=b", host: "www.{default}", status: [200, 304], answer_headers: {X-Shop: open}}
        queue: {command: php check.php, app: app, status: 3, matches: "ok|fine", timeout: 30, before_switch: true}
""")
    assert findings == []
    assert checks is not None
    assert (checks.watch_seconds, checks.on_bad_release, checks.types) == (90, "revert", ("production", "staging"))
    home, queue = checks.smoke
    assert (home.path, home.host, home.status, home.method, home.timeout_seconds) == (
        "/?a=b", "www.{default}", (200, 304), "GET", 10)
    assert home.answer_headers == {"X-Shop": "open"}
    assert (queue.command, queue.status, queue.matches, queue.timeout_seconds, queue.before_switch) == (
        "php check.php", (3,), "ok|fine", 30, True)
    assert str(queue.place) == ".deployd.yaml:7:9"
    assert from_plain(Checks, as_plain(checks)) == checks, "it comes out of the reader's process as it was"


@pytest.mark.parametrize(("text", "code"), [
    (HOME % "{}", "missing-key"), (HOME % "{path: /, command: x}", "not-together"), (HOME % "{path: x}", "not-allowed"),
    (HOME % "{path: //evil.test/}", "not-allowed"), (HOME % '{path: "/a\\r\\nHost: x"}', "not-allowed"),
    (HOME % "{path: /, host: 'a@b'}", "not-allowed"), (HOME % "{path: /, method: DELETE}", "not-allowed"),
    (HOME % "{path: /, headers: {Host: x}}", "bad-name"), (HOME % '{path: /, headers: {X: "a\\nb"}}', "not-allowed"),
    (HOME % '{path: /, matches: "("}', "bad-pattern"), (HOME % f"{{path: /, matches: {'x' * 501}}}", "too-large"),
    (HOME % "{path: /, timeout: 61}", "too-large"), (HOME % "{path: /, status: ok}", "wrong-type"),
    (HOME % "{command: x, app: other}", "not-allowed"), (HOME % "{path: /, statuses: 200}", "unknown-key"),
    ("checks: {smoke: {a b: {path: /}}}\n", "bad-name"), ("checks: {watch_seconds: 4}\n", "too-small"),
    ("checks: {on_bad_release: roll}\n", "not-allowed"), ("checks: {types: [preview]}\n", "not-allowed"),
    ("check: {}\n", "unknown-key"), ("- checks\n", "wrong-type"),
    ("checks:\n    smoke:\n" + "".join(f"        t{number}: {{path: /}}\n" for number in range(21)), "too-large"),
])
def test_what_nobody_could_ask_is_refused_with_its_place(text: str, code: str) -> None:
    checks, findings = read(text)
    assert checks is None
    assert [(found, place.partition(":")[0]) for found, place in findings] == [(code, ".deployd.yaml")]


def test_it_is_configuration_and_no_code_and_its_other_name_is_told() -> None:
    tree = DictTree({".platform.app.yaml": APP, ".deployd.yaml": HOME % "{path: /}"})
    result = read_project(tree)
    assert result.config is not None
    assert ".deployd.yaml" in result.config.configuration_paths()
    plain = read_project(DictTree({".platform.app.yaml": APP, "app/.deployd.yaml": "{"}))
    assert plain.config is not None
    assert ".deployd.yaml" not in plain.config.configuration_paths()
    assert plain.config.checks == Checks()
    wrong = read_project(DictTree({".platform.app.yaml": APP, ".deployd.yml": HOME % "{path: /}"}))
    assert [item.code for item in wrong.warnings] == ["yml-not-read"]


def test_it_is_found_in_a_commit_on_a_disk_and_no_link_is_followed(tmp_path: Path) -> None:
    listing = f"100644 blob {'a' * 40} {len(APP)}\t.platform.app.yaml\x00100644 blob {'b' * 40} 9\t.deployd.yaml\x00"
    asked: list[str] = []

    def load(names: object) -> list[bytes]:
        asked.extend(names)   # type: ignore[call-overload]
        return [APP.encode() if name.startswith("a") else (HOME % "{path: /}").encode() for name in asked]

    result = read_project(CommitTree(listing.encode(), TreeLimits(), load))
    assert result.config is not None
    assert result.config.checks.smoke == (SmokeTest("home", path="/", place=result.config.checks.smoke[0].place),)
    assert len(asked) == 2, "both are fetched with one question"

    (tmp_path / ".platform.app.yaml").write_text(APP)
    (tmp_path / ".deployd.yaml").write_text(HOME % "{path: /}")
    on_disk = read_project(DiskTree(tmp_path))
    assert on_disk.config is not None
    assert len(on_disk.config.checks.smoke) == 1
    (tmp_path / ".deployd.yaml").unlink()
    (tmp_path / ".deployd.yaml").symlink_to("/etc/passwd")
    assert [item.code for item in read_project(DiskTree(tmp_path)).errors] == ["symbolic-link"]
