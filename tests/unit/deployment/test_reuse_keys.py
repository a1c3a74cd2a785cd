"""What a build takes over of earlier ones: keys, what is made of what, and what was written over."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployd.deployment.reuse import fits, has_programs, is_odd, named_in, stage_keys, zone_of
from deployd.deployment.written_over import first_outside, take_record, written_over
from deployd.plan import KeyParts
from deployd.project.model import Application
from deployd.runtimes.build_steps import staged_build
from deployd.settings import ProjectSettings
from tests.support.magento_shop import APP, TEMPLATE, read_app, shop_files

PARTS = KeyParts("tree", "settings", "variables", "image", "1")
LOCK = {"composer.lock": TEMPLATE.with_name("magento_composer.lock").read_text()}
ALL = {"packages", "patches", "generated-code", "static-content"}


def project(**more: Any) -> ProjectSettings:
    return ProjectSettings.model_validate({"id": "shop", **more})


def shop(more: str = "", **files: str) -> Application:
    return read_app({**shop_files(APP + more), **LOCK, **files})


def entries(**changed: str) -> dict[str, str]:
    files = {
        **dict.fromkeys((*shop_files(), *LOCK), "100644 blob 1"),
        "app/code/Acme/Hello/view/frontend/templates/hello.phtml": "100644 blob 1",
        "app/code/Acme/Hello/Model/Hello.php": "100644 blob 1", "m2-hotfixes/01.patch": "100644 blob 1",
        "app/design/frontend/Acme/luma/web/css/source/_theme.less": "100644 blob 1",
    }
    return {**files, **{path: f"100644 blob {about}" for path, about in changed.items()}}


def keys(app: Application | None = None, files: dict[str, str] | None = None, **more: Any) -> dict[str, str]:
    app = app or shop()
    parts, of, branch = more.get("parts", PARTS), more.get("of", project()), more.get("branch", "feature")
    return {**stage_keys(of, branch, app, parts, staged_build(app), files or entries())}


def changed(files: dict[str, str]) -> set[str]:
    before, after = keys(), keys(files=files)
    return {name for name in before if before[name] != after[name]}


def test_a_magento_keeps_packages_patches_code_and_static_content():
    assert keys().keys() == ALL


def test_without_a_flavor_the_recipes_own_packages_are_kept_too():
    assert keys(shop("build: {flavor: none}\n")).keys() == ALL


def test_with_scripts_of_composer_json_only_the_packages_are_kept():
    scripts = '"scripts": {"post-install-cmd": "x"}, "extra"'
    manifest = (TEMPLATE / "composer.json").read_text().replace('"extra"', scripts)
    for more in ("", "build: {flavor: none}\n"):
        assert keys(shop(more, **{"composer.json": manifest})).keys() == {"packages"}


def test_an_autoloader_that_is_not_written_once_more_lists_the_classes():
    app = shop(**{".magento.env.yaml": "stage: {build: {SKIP_COMPOSER_DUMP_AUTOLOAD: true}}\n"})
    assert keys(app).keys() == ALL | {"autoloader"}


@pytest.mark.parametrize(("path", "makes_anew"), [
    ("app/code/Acme/Hello/view/frontend/templates/hello.phtml", set()),
    ("README.md", set()),
    ("app/code/Acme/Hello/Model/Hello.php", {"generated-code"}),
    ("app/code/Acme/Hello/Model/New.php", {"generated-code", "static-content"}),
    ("app/etc/config.php", {"generated-code", "static-content"}),
    ("app/code/Acme/Hello/etc/di.xml", {"generated-code", "static-content"}),
    ("app/design/frontend/Acme/luma/web/css/source/_theme.less", {"static-content"}),
    ("app/code/Acme/Hello/i18n/de_DE.csv", {"static-content"}),
    ("m2-hotfixes/01.patch", ALL), ("composer.lock", ALL), ("packages/base/lib/Magento.php", ALL),
])
def test_each_stage_is_made_of_its_own_files(path: str, makes_anew: set[str]):
    assert changed(entries(**{path: "2"})) == makes_anew


def test_everything_is_made_anew_with_another_image_variable_project_or_zone():
    was = keys()
    for other in (
        keys(parts=replace(PARTS, image="other")), keys(parts=replace(PARTS, variables="other")),
        keys(of=project(id="other")), keys(of=project(environments={"feature": {"protected": True}})),
    ):
        assert not set(was.values()) & set(other.values())
    assert keys(parts=replace(PARTS, tree="other", settings="other"), branch="another") == was


def test_files_that_variables_name_have_a_part_in_everything():
    named = {"environment": {"TOOL": "--first=/app/tools/first.js"}, "platform": {"a": {"b": ["./conf"]}}}
    there = {"tools/first.js": "1", "conf/a": "2", "other/conf": "3", "first.js": "4"}
    assert named_in(named, there) == {"tools/first.js": "1", "conf/a": "2"}
    assert named_in({}, there) == {}


@pytest.mark.parametrize(("name", "value", "is_all"), [
    ("HOME", "/app", True), ("PYTHONPATH", "/usr/lib:/app/", True), ("NODE_PATH", ".", True), ("RUBYLIB", "./", True),
    ("NODE_OPTIONS", "--require /app/tools/first.js", True), ("NODE_OPTIONS", "--max-old-space-size=4096", False),
    ("APP_ROOT", "/app", False), ("PYTHONPATH", "/usr/lib", False), ("COMPOSER_HOME", "", False),
])
def test_where_variables_lead_programs_to_code_of_the_project_all_of_it_has_a_part(
    name: str, value: str, *, is_all: bool,
):
    there = {"tools/first.js": "1", "other/conf": "3"}
    assert named_in({"environment": {name: value}}, there) == (there if is_all else {})


def test_php_reads_the_projects_settings_in_every_step():
    assert changed(entries(**{"php.ini": "2"})) == ALL


def test_what_git_makes_of_files_has_a_part_and_so_has_what_links_lead_to():
    assert changed(entries(**{"packages/base/.gitattributes": "2"})) == ALL
    link = {**entries(), "packages/base/lib": "120000 blob 1"}
    before, after = keys(files=link), keys(files={**link, "shared/lib.txt": "100644 blob 2"})
    assert before["packages"] != after["packages"]


@pytest.mark.parametrize(("path", "has"), [
    (".global/bin/composer", True), (".global", True), (".local", True), ("HEAD", True), (".globals/x", False),
    ("src/.global/x", False), ("docs/HEAD", False),
])
def test_a_repository_that_brings_programs_takes_nothing_over(path: str, *, has: bool):
    assert has_programs(shop(), {path: "120000 blob 1"}) is has


def test_paths_that_patterns_would_take_long_for_are_a_reason_to_take_nothing_over():
    assert is_odd(shop(), {"view/" * 200 + "a.xmm": "1"})
    assert is_odd(shop(), {".global/x": "1"})
    assert not is_odd(shop(), entries())


@pytest.mark.parametrize(("path", "has"), [("go", True), ("go/bin/npm", True), ("go/pkg/x", False), ("gopher", False)])
def test_programs_of_a_runtimes_own_folder_count_too(path: str, *, has: bool):
    it = read_app({".platform.app.yaml": "name: app\ntype: golang:1.24\nweb: {commands: {start: x}}\n"})
    assert has_programs(it, {path: "100755 blob 1"}) is has


def test_a_protected_environment_has_a_zone_of_its_own():
    of = project(environments={"production": {"protected": True}})
    assert (zone_of(of, "production"), zone_of(of, "feature")) == ("protected", "open")


@pytest.mark.parametrize("folder", ["vendor", "generated", "var"])
def test_classes_that_are_read_without_being_written_down_have_a_part_in_static_content(folder: str):
    one, other = (keys(files=entries(**{f"{folder}/a/B.php": about})) for about in "12")
    assert one["static-content"] != other["static-content"]


def test_templates_have_a_part_in_static_content_where_they_are_minified():
    template = {"app/code/Acme/Hello/view/frontend/templates/hello.phtml": "2"}
    minifies = shop(**{".magento.env.yaml": "stage: {global: {SKIP_HTML_MINIFICATION: false}}\n"})
    assert keys(minifies)["static-content"] != keys(minifies, entries(**template))["static-content"]


def test_what_was_written_over_must_be_the_same_and_what_was_made_must_not_be_there_now():
    about = {"over": {"bin/magento": "100755 blob 1"}, "new": ["vendor", "pub/index.php"]}
    there = {"bin/magento": "100755 blob 1", "pub/robots.txt": "x"}
    assert fits(about, there)
    assert not fits(about, {**there, "bin/magento": "100755 blob 2"})
    assert not fits(about, {"pub/robots.txt": "x"})
    assert not fits(about, {**there, "pub/index.php": "x"})
    assert not fits(about, {**there, "vendor/mine/file": "x"})
    assert not fits({**about, "read": {"app/a.php": "1"}}, there)


def layer(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    return folder


def test_what_a_container_wrote_is_told_as_files_of_the_repository_and_what_it_made_beside(tmp_path: Path):
    upper = layer(tmp_path, "vendor/a/b", "pub/index.php", "pub/static/x", "bin/magento", "new.txt")
    (tmp_path / "pub" / "link").symlink_to("/etc")
    there = {"bin/magento": "1", "pub/static/.htaccess": "2", "pub/robots.txt": "3"}
    about, why_not = written_over(upper, there)
    assert why_not == ""
    made = ["new.txt", "pub/index.php", "pub/link", "pub/static/x", "vendor"]
    assert about == {"over": {"bin/magento": "1"}, "new": made}


@pytest.mark.parametrize("bound", ["MOST_WRITTEN_OVER", "LONGEST_NAMES"])
def test_what_is_written_down_has_a_bound_within_one_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str,
):
    upper = layer(tmp_path, *(f"pub/{number}" for number in range(30)))
    assert written_over(upper, {"pub/robots.txt": "3"})[1] == ""
    monkeypatch.setattr(f"deployd.deployment.written_over.{bound}", 20)
    assert "too many" in written_over(upper, {"pub/robots.txt": "3"})[1]


def test_a_folder_of_the_repository_that_became_something_else_is_not_kept(tmp_path: Path):
    upper = layer(tmp_path, "vendor/a")
    (upper / "pub").symlink_to("/etc")
    assert written_over(upper, {"pub/robots.txt": "3"})[1] == "it replaced the folder pub"


def test_what_was_removed_counts_as_written_over(tmp_path: Path):
    upper = layer(tmp_path, "vendor/a")
    for name in ("gone.txt", "of-a-layer-below"):
        subprocess.run(["mknod", str(upper / name), "c", "0", "0"], check=True)
    about, _ = written_over(upper, {"gone.txt": "1"})
    assert about == {"over": {"gone.txt": "1"}, "new": ["vendor"]}


def test_what_a_container_wrote_down_that_it_read_is_taken_out_of_its_layer(tmp_path: Path):
    upper = layer(tmp_path, "vendor/a")
    assert take_record(upper, ".read") is None
    (upper / ".read").write_bytes(b"app/a.php\napp/b.php\napp/a.php\n")
    assert take_record(upper, ".read") == {"app/a.php", "app/b.php"}
    assert not (upper / ".read").exists()
    (upper / ".read").symlink_to("/etc/passwd")
    assert take_record(upper, ".read") is None
    assert take_record(upper, "") == frozenset()


def test_a_step_that_writes_elsewhere_than_it_may_is_found(tmp_path: Path):
    upper = layer(tmp_path, "pub/static/a/b", "var/cache/x")
    assert first_outside(upper, ("pub/static", "var/cache")) == ""
    assert first_outside(upper, ("pub/static",)) == "var"
    layer(tmp_path, "var/other")
    assert first_outside(upper, ("pub/static", "var/cache")) == "var/other"
    assert first_outside(upper, ()) == ""
