"""Nothing is silently ignored: what the reader accepts has an effect somewhere, or a warning or a refusal by name."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from deployd.engine.names import Names
from deployd.environment.domains import Domains
from deployd.environment.routes import resolve_routes
from deployd.ids import ActivityId, EnvironmentId
from deployd.project import model
from deployd.project.model import Application, Commands, Instance, Mount, PathRedirect, RouteTemplate, Web
from deployd.project.offered.runtimes import LANGUAGES, RUNTIMES
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.reader import read_project
from deployd.release.applications.containers import InstanceParts, mount_binds, web_container, worker_container
from deployd.runtimes.build_steps import FLAVORS as BUILT
from deployd.runtimes.known import KNOWN
from deployd.services.families import RUNNABLE
from deployd.settings import Size
from tests.doubles.trees import DictTree
from tests.support.corpus import REPOSITORY

WITHOUT_EFFECT = {
    # (class, field): the key of which the reader warns, or that it refuses
    ("FirewallRule", "protocol"): "firewall",   # `tcp` is its only value
    **dict.fromkeys([("Instance", "resources"), ("Service", "resources")], "resources"),
    **dict.fromkeys([("Resources", "base_memory_mb"), ("Resources", "memory_ratio_mb")], "resources"),
    **dict.fromkeys([("Instance", "container_profile"), ("Service", "container_profile")], "container_profile"),
}
OF_SERVICES_THAT_CANNOT_BE_RUN = (
    model.SearchConfiguration, model.SolrConfiguration, model.SolrCore,
    model.VaultConfiguration, model.VaultKey,
)
NOT_OF_THE_FILES = {"Place", "Dialect", "Finding", "ReadResult", "ProjectConfig"}
APP, SERVICES = ".platform.app.yaml", ".platform/services.yaml"
PHP = 'name: app\ntype: php:8.4\nweb: {locations: {"/": {root: public}}}\n'


def attributes_used() -> set[str]:
    """Names of attributes that the daemon asks for outside the reader."""
    found: set[str] = set()
    for path in (REPOSITORY / "deployd").rglob("*.py"):
        if "project" not in path.relative_to(REPOSITORY / "deployd").parts:
            found |= {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    return found


def test_every_field_of_the_model_is_used_or_said_to_be_without_effect() -> None:
    used = attributes_used()
    for name, kind in vars(model).items():
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and name not in NOT_OF_THE_FILES:
            for field in dataclasses.fields(kind) if kind not in OF_SERVICES_THAT_CANNOT_BE_RUN else ():
                assert field.name in used or (name, field.name) in WITHOUT_EFFECT, f"{name}.{field.name}"


@pytest.mark.parametrize("text", [
    "resources: {base_memory: 64}", "container_profile: HIGH_CPU",
    "preflight: {enabled: true}", "disk: 512", "runtime: {xdebug: {idekey: x}}",
    "workers: {w: {commands: {start: x}, timezone: UTC}}", "runtime: {disabled_extensions: [json]}",
])
def test_a_key_without_effect_has_a_warning(text: str) -> None:
    result = read_project(DictTree({APP: f"{PHP}{text}\n"}))
    assert result.config is not None
    assert [warning.code for warning in result.warnings] == ["not-honoured"]


def test_what_the_reader_accepts_for_a_build_is_what_builds_can_do() -> None:
    assert set(LANGUAGES) == {name for name, runtime in KNOWN.items() if runtime.dependencies is not None}
    assert set(KNOWN) <= {*RUNTIMES, *LANGUAGES}
    accepted = {flavor for known in RUNTIMES.values() for flavor in known.flavors} - {"none"}
    assert accepted == set(BUILT)


def test_a_runtime_that_answers_without_a_start_command_has_one_of_ours() -> None:
    answering = {name for name, known in RUNTIMES.items() if known.server is not None}
    assert answering == {name for name, runtime in KNOWN.items() if runtime.start is not None}


def test_a_service_that_cannot_be_run_is_refused_before_the_push_is_accepted() -> None:
    tree = DictTree({APP: PHP, SERVICES: "search:\n    type: elasticsearch-enterprise:9.3\n    disk: 512\n"})
    assert read_project(tree).config is not None
    (error,) = read_project(tree, runnable=RUNNABLE).errors
    assert (error.code, str(error.place)) == ("not-supported", f"{SERVICES}:2:5")
    assert "`elasticsearch-enterprise`" in error.what
    assert "`mariadb`" in error.hint


def test_the_docs_name_the_types_that_cannot_be_run() -> None:
    text = (REPOSITORY / "docs/configuration.md").read_text()
    found = re.search(r"cannot be run yet[^:]*:\n(.*?)\.\n", text, re.DOTALL)
    assert found
    named = set(re.findall(r"`([^`]+)`", found[1]))
    assert named == {name for name, kind in SERVICE_TYPES.items() if (kind.means or name) not in RUNNABLE}


def test_routes_of_every_type_keep_their_redirects_and_the_way_to_https_has_none() -> None:
    rules = (PathRedirect("/a", "/b"),)
    templates = [
        RouteTemplate("https://{default}/", "upstream", upstream="app", endpoint="http", redirects=rules),
        RouteTemplate("https://www.{default}/", "redirect", to="https://{default}/", redirects=rules),
        RouteTemplate("https://out.{default}/", "proxy", to="https://example.com", redirects=rules),
    ]
    for route in resolve_routes(templates, Domains("x.example.net")).routes:
        assert route.redirects == (rules if route.scheme == "https" else ())


def test_the_web_server_sees_temporary_mounts_and_a_worker_has_its_own(tmp_path: Path) -> None:
    mount = Mount("public/thumbs", "tmp", "thumbs")
    app = Application("app", "php", "8.4", "", Web(Instance(Commands(), mounts=(mount,)), "unix", "fastcgi", ()))

    def parts(name: str) -> InstanceParts:
        return InstanceParts(
            names=Names("deployd", EnvironmentId.read("shop/main")), activity=ActivityId(1), app=app,
            instance=app.web.instance,
            part=name, image="image", slug=tmp_path, uid=2_000_000, mounts=(tmp_path / name / "0",),
            identity=tmp_path, sockets=tmp_path, configuration=tmp_path / name / "config", scripts=tmp_path,
            environment={}, links={}, hosts={}, trust=(), size=Size(memory_mb=128, cpus=1),
        )

    (bind,) = mount_binds(parts("app"))
    assert (bind.source, bind.target) == (f"{tmp_path}/app/0", "/app/public/thumbs")
    web = web_container(parts("app"), "web", tmp_path, "10.0.0.2")
    assert {(item.source, item.read_only) for item in web.binds if item.target == bind.target} == {(bind.source, True)}
    in_memory = sum(int(re.search(r"size=(\d+)m", options)[1]) for options in web.tmpfs.values())   # type: ignore[index]
    assert web.memory_bytes >= (in_memory + 128) * 1024 * 1024, "visitors' uploads fill it, and nginx goes on"
    worker = worker_container(parts("app--w"))
    assert f"{tmp_path}/app--w/0" in {item.source for item in worker.binds}


def test_values_that_the_reader_does_not_understand_go_only_where_somebody_elses_program_reads_them() -> None:
    """Variables, constraints of dependencies and settings of PHP: `model/json.py` says why."""
    package = REPOSITORY / "deployd"
    knowing = {path.relative_to(package).parts[0] for path in package.rglob("*.py") if imports_json(path)}
    assert knowing == {"project", "environment", "runtimes", "slugs", "reading", "activity"}   # the last one masks them


def imports_json(path: Path) -> bool:
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    named = [(node.module or "", item.name) for node in imports for item in node.names]
    return any(module.startswith("deployd.project.model") and name == "Json" for module, name in named)
