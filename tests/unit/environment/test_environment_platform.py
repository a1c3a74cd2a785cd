"""PLATFORM_ and MAGENTO_CLOUD_ variables, as the public config readers decode them."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from deployd.environment.domains import Domains
from deployd.environment.platform import (
    NOT_REPLACED,
    About,
    Surroundings,
    build_environment,
    routes_json,
    runtime_environment,
)
from deployd.environment.relationships import Address, Connection, Related
from deployd.environment.routes import resolve_routes
from deployd.environment.variables import Variables, doubtful_variables, variables_of
from deployd.project.application.variables import OWN_NAMES, OWN_PLATFORM_NAMES, VARIABLE_NAME
from deployd.project.model import (
    Application,
    Commands,
    Hook,
    Hooks,
    Hsts,
    Instance,
    Location,
    PathRedirect,
    RouteCache,
    RouteTemplate,
    RouteTls,
    Web,
)
from deployd.project.reader import read_project
from deployd.settings import ProjectSettings
from tests.doubles.trees import DictTree

APP = Application(
    name="shop", runtime_name="php", version="8.4", root="",
    web=Web(Instance(Commands("php -S")), "unix", "fastcgi", (Location("/", root="pub", passthru="/index.php"),)),
    hooks=Hooks(deploy=Hook("migrate\n"), post_deploy=Hook("warm\n")),
)
ABOUT = About("shop", "e" * 56, "main-abcdefg", "main", "production", "f" * 40)
DATABASE = Related("database", "db", "mysql", "mariadb:11.8", Connection("mysql", 3306), Address("db", "10.0.0.2", "x"))


def decoded(text: str) -> Any:
    return json.loads(base64.b64decode(text))


def runtime(**more: Any) -> dict[str, str]:
    routes = resolve_routes([RouteTemplate("https://www.{default}", "upstream", upstream="shop")], Domains("x.net"))
    return runtime_environment(
        APP, ABOUT, Variables({"MODE": "fast"}, {"d8:x": 1}), commands=Commands("php -S"),
        around=Surroundings(routes.routes, (DATABASE,)), **more,
    )


def test_both_spellings_carry_the_same_values() -> None:
    values = runtime()
    assert values["PLATFORM_RELATIONSHIPS"] == values["MAGENTO_CLOUD_RELATIONSHIPS"]
    assert decoded(values["PLATFORM_RELATIONSHIPS"])["database"][0]["host"] == "database.internal"


def test_run_time_variables_are_absent_from_a_build_and_not_empty() -> None:
    build = build_environment(APP, ABOUT, Variables())
    for name in ("ENVIRONMENT", "BRANCH", "ROUTES", "RELATIONSHIPS", "DOCUMENT_ROOT"):
        assert f"PLATFORM_{name}" not in build
        assert f"PLATFORM_{name}" in runtime()
    assert build["PLATFORM_APPLICATION_NAME"] == "shop"
    assert build["PLATFORM_CACHE_DIR"]


def test_the_build_does_not_see_hooks_that_are_not_part_of_the_slugs_key() -> None:
    build = decoded(build_environment(APP, ABOUT, Variables())["PLATFORM_APPLICATION"])
    assert set(build["hooks"]) == {"build"}


def test_the_build_of_a_magento_sees_that_there_is_a_post_deploy_hook() -> None:
    """As ece-tools look for it: `isset($application['hooks']['post_deploy'])`, and null is not set."""
    build = build_environment(APP, ABOUT, Variables())
    found = decoded(build["MAGENTO_CLOUD_APPLICATION"])
    assert found["hooks"] == {"build": None, "deploy": "migrate\n", "post_deploy": "warm\n"}
    assert {**found, "hooks": None} == {**decoded(build["PLATFORM_APPLICATION"]), "hooks": None}
    without = build_environment(replace(APP, hooks=Hooks()), ABOUT, Variables())
    assert decoded(without["MAGENTO_CLOUD_APPLICATION"])["hooks"]["post_deploy"] is None
    assert "relationships" not in build


def test_magentos_tool_finds_its_post_deploy_hook_at_run_time() -> None:
    assert decoded(runtime()["MAGENTO_CLOUD_APPLICATION"])["hooks"]["post_deploy"] == "warm\n"


def test_original_url_keeps_the_pattern_as_written_and_only_the_upstream_is_primary() -> None:
    routes = decoded(runtime()["PLATFORM_ROUTES"])
    assert routes["https://www.x.net/"]["original_url"] == "https://www.{default}"
    assert routes["https://www.x.net/"]["primary"] is True
    assert routes["http://www.x.net/"] == {
        "primary": False, "id": None, "attributes": {}, "type": "redirect", "to": "https://www.x.net/",
        "original_url": "http://www.{default}", "restrict_robots": False,
        "http_access": {"addresses": [], "basic_auth": {}},
    }


def test_all_that_a_route_says_stands_in_platform_routes_but_its_redirects() -> None:
    route = RouteTemplate(
        "https://{default}/shop", "upstream", upstream="shop", endpoint="http", primary=True, id="main",
        attributes={"foo": "bar"}, redirects=(PathRedirect("/a", "/b"),),
        tls=RouteTls("TLSv1.2", Hsts(True, False), "request", ("PEM",)),
        cache=RouteCache(default_ttl_seconds=60, cookies=("/^SS?ESS.*/",)), ssi=True,
    )
    first = RouteTemplate("https://www.{default}", "upstream", upstream="shop")
    outside = RouteTemplate("https://docs.{default}/", "proxy", to="https://example.com", id="docs")
    routes = routes_json(resolve_routes([first, route, outside], Domains("x.net")).routes)
    plain = {"restrict_robots": False, "http_access": {"addresses": [], "basic_auth": {}}}
    assert routes["https://x.net/shop"] == plain | {
        "primary": True, "id": "main", "attributes": {"foo": "bar"}, "type": "upstream", "upstream": "shop",
        "original_url": "https://{default}/shop",
        "tls": {
            "min_version": 771, "client_authentication": "request", "client_certificate_authorities": ["PEM"],
            "strict_transport_security": {"enabled": True, "include_subdomains": False, "preload": None},
        },
        "cache": {
            "enabled": True, "default_ttl": 60, "cookies": ["/^SS?ESS.*/"], "headers": ["Accept", "Accept-Language"],
        },
        "ssi": {"enabled": True},
    }
    assert routes["https://docs.x.net/"] == plain | {
        "primary": False, "id": "docs", "attributes": {}, "type": "proxy", "to": "https://example.com",
        "original_url": "https://docs.{default}/",
    }
    assert [url for url, shown in routes.items() if shown["primary"]] == ["https://x.net/shop"]
    assert routes["http://x.net/shop"]["id"] is None


def test_a_unix_socket_application_gets_SOCKET_and_no_PORT() -> None:
    values = runtime()
    assert "SOCKET" in values
    assert "PORT" not in values


def of_levels(
    app: dict[str, Any], project: dict[str, Any], environment: dict[str, Any] | None = None, *, building: bool = False,
    dialect: str | None = None, protected: bool = False,
) -> Variables:
    settings = ProjectSettings.model_validate({
        "id": "shop", "variables": project, "dialect": dialect,
        "environments": {"main": {"variables": environment or {}, "protected": protected}},
    })
    return variables_of(APP, Instance(Commands(), variables=app), settings, "main", building=building)


def test_builds_of_a_protected_environment_do_not_see_its_secrets_before_anybody_has_approved_them() -> None:
    secret, plain = {"value": "s3cr3t", "sensitive": True}, {"value": "plain"}
    of_environment = {"env:own": secret, "env:said": plain, "own": secret}
    seen = of_levels({}, {"env:shared": secret}, of_environment, building=True, protected=True)
    assert set(seen.environment) == {"SHARED", "SAID"}   # of the project: every branch's builds see it anyway
    assert "own" not in seen.platform
    open_ = of_levels({}, {}, of_environment, building=True)
    assert set(open_.environment) == {"OWN", "SAID"}
    running = of_levels({}, {}, of_environment, protected=True)
    assert running.environment["OWN"] == "s3cr3t"


def test_the_environments_variable_beats_the_projects_and_that_the_applications() -> None:
    found = of_levels({"env": {"MODE": "slow", "LIST": ["a", "b"], "FLAG": False}}, {"env:mode": "fast"})
    assert found.environment == {"MODE": "fast", "LIST": '["a", "b"]', "FLAG": "false"}
    assert of_levels({"env": {"MODE": "slow"}}, {"env:mode": "fast"}, {"env:MODE": "best"}).environment == {
        "MODE": "best",
    }


def test_variables_of_another_branch_application_or_invisible_in_a_build_are_left_out() -> None:
    project = {"secret": {"value": "x", "visible_build": False}, "env:ONE": {"value": "1", "applications": ["other"]}}
    assert of_levels({}, project, building=True) == Variables({}, {}, {})
    assert of_levels({}, project).platform == {"secret": "x"}


def test_builds_of_magento_do_not_see_an_environments_variables_unless_they_are_told_to() -> None:
    environment = {"env:A": "1", "env:B": {"value": "2", "visible_build": True}}
    assert of_levels({}, {}, environment, building=True, dialect="magento").environment == {"B": "2"}
    assert of_levels({}, {}, environment, building=True).environment == {"A": "1", "B": "2"}


def test_php_off_is_the_word_again_that_yaml_made_a_boolean_of() -> None:
    assert of_levels({"php": {"display_errors": False}}, {}).ini == {"php": {"display_errors": "Off"}}


def test_rails_and_phoenix_find_a_secret_that_stays_the_same_and_is_not_the_entropy_itself() -> None:
    site = replace(APP, runtime_name="ruby", version="3.3")
    build = build_environment(site, ABOUT, Variables())
    found = runtime_environment(site, replace(ABOUT, environment="x", tree="0"), Variables(), commands=Commands(),
                                around=Surroundings())
    assert build["SECRET_KEY_BASE"] == found["SECRET_KEY_BASE"]
    assert len(found["SECRET_KEY_BASE"]) == 128
    other = build_environment(site, replace(ABOUT, entropy="f" * 56), Variables())
    assert other["SECRET_KEY_BASE"] != found["SECRET_KEY_BASE"]
    own = build_environment(site, ABOUT, Variables({"SECRET_KEY_BASE": "1"}))
    assert own["SECRET_KEY_BASE"] == "1", "the project's own wins"
    assert "SECRET_KEY_BASE" not in runtime()


def test_the_names_that_we_set_ourselves_are_known_to_who_warns_of_them() -> None:
    prefixed = {name for values in (runtime(), build_environment(APP, ABOUT, Variables())) for name in values}
    ours = {name.removeprefix("PLATFORM_") for name in prefixed if name.startswith("PLATFORM_")}
    assert ours | {"PRE_APP_COMMAND", "POST_APP_COMMAND"} == OWN_PLATFORM_NAMES
    assert set(NOT_REPLACED) == OWN_NAMES


def test_variables_that_programs_do_not_find_as_they_are_written_are_told_with_their_keys() -> None:
    project = ProjectSettings.model_validate({
        "id": "shop",
        "variables": {"env:MY-KEY": "x", "env:a.b": "x", "env:1ST": "x", "env:PORT": 80, "env:good": "x", "a-b": "x",
                      "php:a.b": "x", "env:EMPTY": None},
        "environments": {"dev": {"variables": {"env:platform_routes": "x", "env:PLATFORM_MINE": "x"}}},
    })
    assert [text.split(" ")[0] for text in doubtful_variables(project)] == [
        "variables.env:MY-KEY:", "variables.env:a.b:", "variables.env:1ST:", "variables.env:PORT:",
        "variables.env:EMPTY:", "environments.dev.variables.env:platform_routes:",
    ]
    assert "shell" in doubtful_variables(project)[0]
    assert "is null, and programs find the text `null`" in doubtful_variables(project)[4]


def test_a_shell_drops_names_that_are_none() -> None:
    environment = {"GOOD_1": "x", "MY-KEY": "x", "a.b": "x", "1ST": "x"}
    shown = subprocess.run(["/bin/dash", "-c", "exec env"], env=environment, capture_output=True, text=True, check=True)
    names = {line.partition("=")[0] for line in shown.stdout.splitlines()} & set(environment)
    assert names == {name for name in environment if VARIABLE_NAME.fullmatch(name)}


@pytest.mark.parametrize(("text", "codes"), [
    ("variables: {env: {PORT: 80}}", ["variable-overwritten"]), ("variables: {env: {A: null}}", ["null-variable"]),
    ("variables: {env: {A: ~, PORT: }}", ["null-variable", "null-variable", "variable-overwritten"]),
    ("variables: {env: {SOCKET: x, PLATFORM_MINE: x, MODE: x}}", []), ("variables: {php: {PORT: null}}", []),
    ("variables: {env: {PATH: x, PLATFORM_ROUTES: x}}", ["variable-overwritten"] * 2),
    ("variables: {env: {PORT: 80, SOCKET: x}}\nweb: {upstream: {socket_family: unix}}", ["variable-overwritten"]),
])
def test_a_variable_of_the_application_that_is_overwritten_or_null_is_warned_of(text: str, codes: list[str]) -> None:
    result = read_project(DictTree({".platform.app.yaml": f"name: shop\ntype: 'nodejs:24'\n{text}\n"}))
    found = [finding for finding in result.findings if "variable" in finding.code]
    assert sorted(finding.code for finding in found) == codes
    assert {finding.place.line for finding in found} <= {3}
    assert result.config is not None
