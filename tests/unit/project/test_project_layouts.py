# ruff: noqa: E501   rows of tables are lines
"""Where files are looked for: spellings, several applications, includes, links."""

from __future__ import annotations

import base64
import io
import tarfile

import pytest

from deployd.project.findings.report import render_findings
from deployd.project.model import MAGENTO, PLATFORMSH, Dialect, ReadResult, SolrConfiguration
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree

PHP = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"
ROUTES = '"https://{default}/": {type: upstream, upstream: "app:http"}\n'
APP, LIST = ".platform.app.yaml", ".platform/applications.yaml"


def read(files: dict[str, str | bytes | None], dialect: Dialect | None = None, folders: tuple[str, ...] = ()) -> ReadResult:
    return read_project(DictTree(files, folders), dialect=dialect)


def names(result: ReadResult) -> list[str]:
    assert result.config is not None, "\n".join(render_findings(result.errors))
    return [application.name for application in result.config.applications]


@pytest.mark.parametrize(("files", "dialect"), [
    ([".magento.app.yaml"], MAGENTO),
    ([".platform.app.yaml"], PLATFORMSH),
    ([".magento.app.yaml", ".platform.app.yaml"], MAGENTO),
    ([".magento.app.yaml", ".platform.app.yaml", ".platform/routes.yaml"], PLATFORMSH),
    ([".magento.app.yaml", ".platform.app.yaml", ".magento/routes.yaml"], MAGENTO),
    ([".magento.app.yaml", ".platform.app.yaml", ".magento/routes.yaml", ".platform/routes.yaml"], MAGENTO),
    (["a/.magento.app.yaml", ".platform.app.yaml"], PLATFORMSH),
])
def test_the_spelling_is_that_of_the_files(files: list[str], dialect: Dialect) -> None:
    result = read({path: ROUTES if "routes" in path else PHP for path in files})
    assert result.config is not None
    assert result.config.dialect == dialect
    both = {path.split("/")[-1][:4] for path in files if path.endswith("app.yaml")}
    assert ("two-dialects" in {warning.code for warning in result.warnings}) == (len(both) == 2)


def test_the_setting_of_the_project_decides() -> None:
    files = {".magento.app.yaml": PHP.replace("app", "m", 1), ".platform.app.yaml": PHP.replace("app", "p", 1)}
    assert names(read(files, MAGENTO)) == ["m"]
    assert names(read(files, PLATFORMSH)) == ["p"]
    result = read({".magento.app.yaml": PHP}, PLATFORMSH)
    assert [finding.code for finding in result.findings] == ["other-dialect", "no-application"]


def test_the_configuration_folder_counts_at_the_root_only() -> None:
    result = read({APP: PHP, "deep/.platform/services.yaml": "broken: [", "deep/.platform/routes.yaml": "["})
    assert names(result) == ["app"]


def test_applications_come_as_files_as_a_list_and_as_a_mapping() -> None:
    files = {"a/" + APP: PHP.replace("app", "a", 1), "a/b/" + APP: PHP.replace("app", "b", 1), ".platform/routes.yaml": "{}"}
    assert names(read(files)) == ["a", "b"]
    assert names(read({**files, LIST: "- {name: c, type: 'php:8.4'}\n- {name: d, type: 'php:8.4'}\n"})) == ["a", "b", "c", "d"]
    assert names(read({**files, LIST: "c: {type: 'php:8.4'}\nd: {type: 'php:8.4', name: d}\n"})) == ["a", "b", "c", "d"]


def test_the_root_of_an_application_is_its_folder_or_the_repository() -> None:
    result = read({"a/" + APP: PHP, LIST: "b: {type: 'php:8.4', source: {root: /a}}\nc: {type: 'php:8.4'}\n", ".platform/routes.yaml": "{}"})
    assert result.config is not None
    assert {app.name: app.root for app in result.config.applications} == {"app": "a", "b": "a", "c": ""}


def test_the_order_of_routes_is_kept_and_their_text_too() -> None:
    routes = '"https://{default}": {type: upstream, upstream: "app:http", id: x}\n"https://www.{default}/a": {type: redirect, to: "https://{default}"}\n'
    config = read({APP: PHP, ".platform/routes.yaml": routes}).config
    assert config is not None
    first, second = config.routes
    assert (first.url, first.id, first.cache.enabled, first.cache.cookies) == ("https://{default}", "x", True, ("*",))
    assert (second.url, second.to, second.cache.enabled) == ("https://www.{default}/a", "https://{default}", False)


@pytest.mark.parametrize("include", ["!include hooks.yaml", "!include {path: hooks.yaml}", "!include {type: yaml, path: ./hooks.yaml}"])
def test_a_yaml_file_is_included_in_every_form(include: str) -> None:
    result = read({APP: PHP + f"hooks: {include}\n", "hooks.yaml": "build: !include {type: string, path: build.sh}\n", "build.sh": "make\n"})
    assert result.config is not None
    hook = result.config.applications[0].hooks.build
    assert hook is not None
    assert hook.script == "make\n"
    assert result.config.files == (APP, "hooks.yaml", "build.sh")


def test_an_include_is_looked_for_in_the_source_root_then_beside_the_file() -> None:
    text = "hooks: {build: !include {type: string, path: build.sh}}\n"
    files: dict[str, str | bytes | None] = {"code/build.sh": "code\n", "web/build.sh": "web\n", "build.sh": "top\n", ".platform/build.sh": "folder\n"}

    def script(path: str, application: str) -> str:
        result = read({**files, path: application, ".platform/routes.yaml": "{}"})
        assert result.config is not None, "\n".join(render_findings(result.errors))
        hook = result.config.applications[0].hooks.build
        assert hook is not None
        return hook.script.strip()

    assert script(APP, PHP + text) == "top"
    assert script("web/" + APP, PHP + text) == "web"
    assert script("web/" + APP, PHP + text + "source: {root: code}\n") == "code"
    assert script(LIST, "app: {type: 'php:8.4', source: {root: code}, " + text.strip() + "}\n") == "code"
    assert script(LIST, "app: {type: 'php:8.4', " + text.strip() + "}\n") == "folder"
    del files[".platform/build.sh"]
    assert script(LIST, "app: {type: 'php:8.4', " + text.strip() + "}\n") == "top"


def test_an_include_in_a_sub_folder_may_go_up_inside_the_repository() -> None:
    result = read({"web/" + APP: PHP + "hooks: {build: !include {type: string, path: ../shared/build.sh}}\n", "shared/build.sh": "x"})
    assert names(result) == ["app"]


def test_bytes_are_included_in_base64() -> None:
    result = read({APP: PHP + "variables: {x: {key: !include {type: binary, path: key}}}\n", "key": b"\x00\xff"})
    assert result.config is not None
    assert result.config.applications[0].web.instance.variables == {"x": {"key": base64.b64encode(b"\x00\xff").decode()}}


def test_an_archive_is_a_tar_of_the_folder_equal_for_equal_files() -> None:
    services = "s: {type: 'solr:9.9', disk: 512, configuration: {cores: {a: {conf_dir: !archive solr}}}}\n"
    files: dict[str, str | bytes | None] = {APP: PHP, ".platform/services.yaml": services, ".platform/solr/b": "B", ".platform/solr/a/c": "C"}
    first, second = read(files).config, read(dict(reversed(files.items()))).config
    assert first is not None
    assert second is not None
    assert first.services == second.services
    data = base64.b64decode(first.services[0].configured(SolrConfiguration).cores["a"].conf_dir or "")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert {member.name: archive.extractfile(member).read() for member in archive} == {"b": b"B", "a/c": b"C"}  # type: ignore[union-attr]


def test_a_merge_key_adds_what_is_not_there() -> None:
    result = read({LIST: ".base: &base\n  type: php:8.4\n  size: S\n.more: &more {disk: 512}\napp:\n  <<: [*base, *more]\n  size: L\n"})
    assert result.config is not None
    app = result.config.applications[0]
    assert (app.type, app.web.instance.size, app.web.instance.disk_mb) == ("php:8.4", "L", 512)


def test_places_point_into_the_included_file() -> None:
    result = read({APP: PHP + "hooks: !include hooks.yaml\n", "hooks.yaml": "# a\nbuild: make\n"})
    assert result.config is not None
    hook = result.config.applications[0].hooks.build
    assert hook is not None
    assert str(hook.place) == "hooks.yaml:2:1"


def test_tolerance_makes_warnings_of_unknown_keys_and_quoted_numbers() -> None:
    tree = DictTree({APP: PHP + "notes: x\ndisk: '512'\n"})
    assert [error.code for error in read_project(tree).errors] == ["unknown-key", "wrong-type"]
    result = read_project(tree, tolerant=True)
    assert result.config is not None
    assert [warning.code for warning in result.warnings] == ["unknown-key", "not-honoured", "wrong-type"]
    assert result.config.applications[0].web.instance.disk_mb == 512


def test_an_application_that_cannot_be_read_is_not_missed_elsewhere() -> None:
    result = read({APP: PHP + "relationships: {api: 'api:http', db: 'db:mysql'}\n", "api/" + APP: "name: [", ".platform/services.yaml": "db: ["})
    assert {error.code for error in result.errors} == {"yaml-syntax"}


def test_the_tags_of_yaml_itself_are_understood() -> None:
    text = "variables: {x: !!map {a: !!str 1, b: !!int '2', c: ! 3, d: !!seq [!!bool 'yes'], e: !!null '', f: !!float '1.5'}}\n"
    result = read({APP: PHP + text})
    assert result.config is not None
    assert result.config.applications[0].web.instance.variables == {"x": {"a": "1", "b": 2, "c": "3", "d": [True], "e": None, "f": 1.5}}


def test_a_whole_file_and_its_source_may_be_included() -> None:
    files = {APP: "!include app.yaml\n", "app.yaml": PHP + "source: !include source.yaml\nhooks: {build: !include {type: string, path: b.sh}}\n",
             "source.yaml": "root: code\n", "code/b.sh": "code"}
    result = read(files)
    assert result.config is not None
    assert result.config.applications[0].root == "code"
    assert names(read({LIST: "!include apps.yaml\n", ".platform/apps.yaml": "- {name: a, type: 'php:8.4'}\n"})) == ["a"]


def test_an_empty_list_of_applications_is_none() -> None:
    assert [error.code for error in read({LIST: "# nothing\n"}).errors] == ["no-application"]
    assert [error.code for error in read({LIST: "- ["}).errors] == ["yaml-syntax"]


def test_more_warnings_than_anybody_reads_are_left_out() -> None:
    crons = "".join(f"    c{number}: {{spec: '* * * * *', cmd: x}}\n" for number in range(290))
    workers = "".join(f"    w{number}: {{timezone: UTC, commands: {{start: x}}}}\n" for number in range(90))
    result = read({APP: PHP + "crons:\n" + crons + "workers:\n" + workers})
    assert result.config is not None
    assert len(result.config.applications[0].crons) == 290
    assert len(result.warnings) == 300
