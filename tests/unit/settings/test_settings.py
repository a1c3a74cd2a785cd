"""Settings that cannot be used are refused when they are read, with the key that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from deployd.settings import HttpAccess, ProjectSettings, Settings, SettingsInvalid, load_settings


@pytest.mark.parametrize(("listen", "address"), [
    ("127.0.0.1:8480", ("127.0.0.1", 8480)), (":8480", ("127.0.0.1", 8480)), ("0.0.0.0:1", ("0.0.0.0", 1)),
    ("[::1]:8480", ("::1", 8480)), ("deploy.example.com:65535", ("deploy.example.com", 65535)),
])
def test_listen_is_an_address_and_a_port(listen: str, address: tuple[str, int]) -> None:
    assert Settings.model_validate({"listen": listen}).listen_address == address


@pytest.mark.parametrize("wrong", [
    {"listen": "abc"}, {"listen": "8480"}, {"listen": "127.0.0.1:"}, {"listen": "127.0.0.1:0"}, {"listen": "::1:8480"},
    {"listen": "127.0.0.1:99999"}, {"domain": "example.com"}, {"domain": "{environment}-{project}-{user}.example.com"},
    {"domain": "{environment}-{project}.{}"}, {"domain": "{environment}-{project}{"}, {"state": "relative/path"},
    {"network_pool": "10.0.0.1/12"}, {"freeze_seconds": 301}, {"instance": "Two Words"}, {"keep_versions": 0},
    {"containers.may_reach.0": ["db.internal:5432"]}, {"containers.may_reach.0": [5432]},
    {"containers.firewall": "off"},
])
def test_what_cannot_be_used_is_refused_with_its_key(tmp_path: Path, wrong: dict[str, Any]) -> None:
    file = tmp_path / "deployd.yaml"
    room, _, key = next(iter(wrong)).partition(".")
    file.write_text(yaml.safe_dump({room: {key.partition(".")[0]: wrong[f"{room}.{key}"]}} if key else wrong))
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(file)
    assert caught.value.where == str(file)
    assert [line.partition(":")[0] for line in caught.value.evidence] == list(wrong)


@pytest.mark.parametrize(("written", "asked"), [
    ("Q3.Test", "q3.test"), ("shop.example.com.", "shop.example.com"), ("bücher.test", "xn--bcher-kva.test"),
    ("BÜCHER.Test", "xn--bcher-kva.test"), ("straße.de", "xn--strae-oqa.de"), ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ("xn--bcher-kva.test", "xn--bcher-kva.test"), ("my_shop.example.com", "my_shop.example.com"), ("shop", "shop"),
    (" shop.test ", "shop.test"), ("192.0.2.7", "192.0.2.7"), (f"{'a' * 63}.test", f"{'a' * 63}.test"),
])
def test_a_domain_becomes_what_browsers_ask_for(written: str, asked: str) -> None:
    assert project(domains=[written]).domains == (asked,)


@pytest.mark.parametrize("wrong", [
    "", " ", "http://q1.test", "q2.test/", "q2.test/shop", "q7.test:8080", "{default}", "www.{default}", "a..b", ".a",
    "a b.test", "q8.test\nevil.test", "q8.test\n.", "a" * 64 + ".test", ".".join(["a" * 60] * 5), "*.test", "[::1]",
    "-a.test", "a-.test", "a!.test", "bü cher.test", "-ü.test", "..", ".", "user@shop.test", "a.te_st", "shop.test;",
    "a\u202e.test",
])
def test_a_domain_that_no_browser_asks_for_is_refused_with_its_line(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "projects.d").mkdir()
    (tmp_path / "deployd.yaml").write_text("")
    text = f"title: shop\ndomains:\n  - good.test\n  - {json.dumps(wrong)}\n"
    (tmp_path / "projects.d/shop.yaml").write_text(text)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(tmp_path / "deployd.yaml")
    (said,) = caught.value.evidence
    assert said.startswith("projects.shop.domains.1: ")
    assert said.endswith("   projects.d/shop.yaml:4")
    assert said.isprintable()


@pytest.mark.parametrize(("written", "used"), [
    ("{environment}-{project}.Example.COM.", "{environment}-{project}.example.com"),
    ("{Environment}.{project}.bücher.test", "{environment}.{project}.xn--bcher-kva.test"),
])
def test_the_pattern_of_hosts_becomes_what_browsers_ask_for(written: str, used: str) -> None:
    assert Settings.model_validate({"domain": written}).domain == used


@pytest.mark.parametrize("wrong", [
    "http://{environment}-{project}.test", "{environment}-{project}.test:8080", "{environment}-{project}.test/",
    "{environment}-{project}..test", "{environment}-{project} .test", "*.{environment}-{project}.test",
    "{environment!r}-{project}.test", "{environment:>99}.{project}.test", "{environment}{project}.te_st",
    "-{environment}.{project}", "{environment}-.{project}.test", f"{{environment}}.{{project}}.{'a' * 64}.test",
    "{environment}.{project}." + ".".join(["a" * 60] * 3), "{environment}-{project}.test\nx",
    "{{environment}}-{project}.x",
    "{environment}-{project}-bücher.test", "{environment}-{project}..",
])
def test_a_pattern_whose_hosts_nobody_asks_for_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"domain": wrong})


@pytest.mark.parametrize(("written", "used"), [("[2a00::7]", "2a00::7"), ("::", "::"), ("Web.Example", "web.example")])
def test_an_address_to_listen_on_is_taken_without_brackets(written: str, used: str) -> None:
    assert Settings.model_validate({"router": {"address": written}}).router.address == used


WRONG: list[tuple[str, str]] = [   # (what the file says, the key that is named)
    ("public_url: deploy.example.com", "public_url"), ("public_url: 'https://a b/'", "public_url"),
    ("listen: 'two words:80'", "listen"), ("listen: '[::1:80'", "listen"), ("listen: '٣:80'", "listen"),
    ("run: /run/dep loyd", "run"), ("state: /", "state"), ("state: /srv/../etc", "state"),
    ("{state: /run/deployd/state}", "state"), ("{state: /run/deployd}", "state"), ("directory: 5", "directory"),
    ("catalogue: catalogue.yaml", "catalogue"), ("docker_socket: docker.sock", "docker_socket"),
    ("router: {address: a b}", "router.address"), ("router: {address: '127.0.0.1:80'}", "router.address"),
    ("router: {http_port: 443}", "router"), ("{listen: '0.0.0.0:443'}", "listen"),
    ("{listen: '127.0.0.1:8425'}", "mail.port"), ("router: {http_port: 8425}", "mail.port"),
    ("mail: {relay: 'http://relay.test'}", "mail.relay"), ("mail: {sender: 'nobody'}", "mail.sender"),
    ("mail: {password: alone}", "mail"),
    ("projects: {shop: {mail: {relay: 'smtp://x:0'}}}", "projects.shop.mail.relay"),
    ("router: {workers: 100000}", "router.workers"), ("router: {cache_mb: 99999999999999}", "router.cache_mb"),
    ("router: {max_held: yes}", "router.max_held"), ("limits: {builds: on}", "limits.builds"),
    ("tls: {own: [{certificate: a.pem, key: /a.key}]}", "tls.own.0.certificate"),
    ("tls: {acme: {directory: acme.example}}", "tls.acme.directory"), ("tls: {acme: {email: ops}}", "tls.acme.email"),
    ("network_pool: 127.0.0.0/8", "network_pool"), ("network_pool: 0.0.0.0/0", "network_pool"),
    ("network_pool: 'fd00::/8'", "network_pool"), ("network_pool: 10.208.0.0/28", "subnet_prefix"),
    ("collect: {deleted_days: .inf}", "collect.deleted_days"), ("collect: {log_days: 1e300}", "collect.log_days"),
    ("build: {cpus: .inf}", "build.cpus"), ("build: {cpus: 0.001}", "build.cpus"),
    ("build: {limit_seconds: 7200}", "build.limit_seconds"), ("answer_seconds: 600", "answer_seconds"),
    ("sizes: {l: {memory_mb: 99, cpus: 1}}", "sizes"),
    ("sizes: {L: {memory_mb: 99999999, cpus: 1}}", "sizes.L.memory_mb"),
    ("tokens: [{name: '', secret: 0f1e2d3c4b5a69788796}]", "tokens.0.name"),
    ("tokens: [{name: \"a\\nb\", secret: 0f1e2d3c4b5a69788796}]", "tokens.0.name"),
    ("tokens: [{name: a, secret: \"0f1e2d3c4b5a69788796\\n\"}]", "tokens.0.secret"),
    ("tokens: [{name: a, secret: 0f1e2d3c4b5a69788796, projects: [The Shop]}]", "tokens.0.projects"),
    ("tokens: [{name: a, secret: 0f1e2d3c4b5a69788796}, {name: a, secret: 1f1e2d3c4b5a69788796}]", "tokens.1.name"),
    ("tokens: [{name: a, secret: 0f1e2d3c4b5a69788796}, {name: b, secret: 0f1e2d3c4b5a69788796}]", "tokens.1.secret"),
    ("projects: [shop]", "projects"), ("projects: {shop: {id: other}}", "projects.shop.id"),
    ("projects: {shop: {title: \"a\\e[2J\"}}", "projects.shop.title"),
    ("projects: {shop: {default_branch: ''}}", "projects.shop.default_branch"),
    ("projects: {shop: {production_branch: a..b}}", "projects.shop.production_branch"),
    ("projects: {shop: {environments: {'two words': {}}}}", "projects.shop.environments"),
    ("projects: {shop: {remote: {url: '--upload-pack=x'}}}", "projects.shop.remote.url"),
    ("projects: {shop: {remote: {url: github.com/a/b}}}", "projects.shop.remote.url"),
    ("projects: {shop: {remote: {url: 'https://a/b', token: \"a\\nb\"}}}", "projects.shop.remote.token"),
    ("projects: {shop: {variables: {'env:A=B': x}}}", "projects.shop.variables"),
    ("projects: {shop: {variables: {'env:': x}}}", "projects.shop.variables"),
    ("projects: {shop: {variables: {a: .nan}}}", "projects.shop.variables.a.value"),
    ("projects: {shop: {domains: [a.test, A.test]}}", "projects.shop.domains"),
    ("projects: {shop: {domains: [a.test]}, other: {domains: [b.test, A.test]}}", "projects.other.domains.1"),
    ("projects: {shop: {http_access: {basic_auth: {ada: \"$6$a$b\\n\"}}}}", "projects.shop.http_access.basic_auth"),
]


@pytest.mark.parametrize(("text", "key"), WRONG)
def test_what_nothing_could_be_made_of_is_refused_with_its_key_and_line(tmp_path: Path, text: str, key: str) -> None:
    (tmp_path / "deployd.yaml").write_text(f"\n\n{text}\n")
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(tmp_path / "deployd.yaml")
    if key == "projects":
        assert caught.value.where == f"{tmp_path}/deployd.yaml:3"
        return
    (said,) = caught.value.evidence
    assert said.partition(": ")[0] == key
    assert said.endswith("   deployd.yaml:3")
    assert said.isprintable()


def test_all_that_is_wrong_is_told_at_once_each_with_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "projects.d").mkdir()
    (tmp_path / "deployd.yaml").write_text("listen: x\nrouter:\n  http_port: 0\n  htp_port: 80\n")
    (tmp_path / "projects.d/shop.yaml").write_text("# the shop\ndomains: [a.test, 'b c']\nremote: {}\n")
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(tmp_path / "deployd.yaml")
    assert sorted(line.rpartition("   ")[2] for line in caught.value.evidence) == [
        "deployd.yaml:1", "deployd.yaml:3", "deployd.yaml:4", "projects.d/shop.yaml:2", "projects.d/shop.yaml:3",
    ]


@pytest.mark.parametrize(("text", "line"), [
    ("listen: ':1'\nlisten: ':2'\n", 2), ("router:\n  http_port: 1\n  https_port: 2\n  http_port: 3\n", 4),
])
def test_a_key_that_is_there_twice_is_refused(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "deployd.yaml").write_text(text)
    with pytest.raises(SettingsInvalid, match="twice") as caught:
        load_settings(tmp_path / "deployd.yaml")
    assert caught.value.where.startswith(f"{tmp_path}/deployd.yaml:{line}:")


@pytest.mark.parametrize("text", ["projects: {shop: {variables: {'env:A': \"a\\0b\"}}}", "listen: \"\\ud800\""])
def test_a_text_that_no_program_could_be_given_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "deployd.yaml").write_text(f"# first\n{text}\n")
    with pytest.raises(SettingsInvalid, match="zero byte") as caught:
        load_settings(tmp_path / "deployd.yaml")
    assert caught.value.where.startswith(f"{tmp_path}/deployd.yaml:2:")


def test_a_file_that_nobody_would_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "projects.d").mkdir()
    (tmp_path / "deployd.yaml").write_text("")
    (tmp_path / "projects.d/shop.yml").write_text("")
    with pytest.raises(SettingsInvalid, match=r"shop\.yml"):
        load_settings(tmp_path / "deployd.yaml")


def test_what_is_no_yaml_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "deployd.yaml").write_text("listen: 127.0.0.1:1\nlimits: [\n")
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(tmp_path / "deployd.yaml")
    assert caught.value.where == f"{tmp_path}/deployd.yaml:3:1"
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("text", ["router: {http3: !!bool maybe}", "domain: !!timestamp soon"])
def test_a_value_that_is_not_what_its_tag_says_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "deployd.yaml").write_text(text)
    with pytest.raises(SettingsInvalid, match="tag"):
        load_settings(tmp_path / "deployd.yaml")


def project(**more: Any) -> ProjectSettings:
    return ProjectSettings.model_validate({"id": "shop", **more})


def test_a_branch_may_say_itself_who_sees_its_environment() -> None:
    closed = {
        "basic_auth": {"ada": "$6$salt$hash"},
        "addresses": ["192.0.2.0/24", {"permission": "deny", "address": "any"}],
    }
    found = project(http_access=closed, environments={"main": {"http_access": {}}, "staging": {}})
    assert found.access_to("main") == HttpAccess()
    assert found.access_to("feature") == found.access_to("staging") == found.http_access
    assert [rule.permission for rule in found.http_access.addresses] == ["allow", "deny"]
    assert found.http_access.addresses[1].networks == ("0.0.0.0/0", "::/0")


def test_a_changed_password_changes_what_routes_are_made_from() -> None:
    one, other = (project(http_access={"basic_auth": {"ada": hashed}}) for hashed in ("$6$a", "$6$b"))
    assert repr(one) != repr(other)


@pytest.mark.parametrize("wrong", [
    {"basic_auth": {"ada": "secret"}}, {"basic_auth": {"ada": "$2y$12$slow"}}, {"basic_auth": {"ada": "$6$rounds=9$x"}},
    {"basic_auth": {"a:b": "$6$x"}}, {"addresses": ["192.0.2.256"]},
    {"addresses": [{"permission": "maybe", "address": "any"}]},
])
def test_access_that_would_not_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        project(http_access=wrong)


def test_a_branch_may_say_itself_how_it_is_switched() -> None:
    shop = project(strategy="rolling", environments={"main": {"strategy": "standard"}})
    settings = Settings()
    assert [settings.strategy_of(shop, branch) for branch in ("main", "feature")] == ["standard", "rolling"]
    assert settings.strategy_of(project(), "main") == "standard"


@pytest.mark.parametrize("wrong", [
    {"strategy": "rolling", "snapshot_before_deploy": True},
    {"environments": {"main": {"strategy": "rolling"}}, "snapshot_before_deploy": True},
])
def test_a_snapshot_without_a_freeze_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="choose one of them"):
        Settings.model_validate({"projects": {"shop": wrong}})
    with pytest.raises(ValidationError, match="choose one of them"):
        Settings.model_validate({"projects": {"shop": {"strategy": "rolling"}}, "snapshot_before_deploy": True})


def test_a_public_authority_is_not_asked_before_its_terms_are_agreed_to() -> None:
    with pytest.raises(ValidationError, match="agree_to_terms: true"):
        Settings.model_validate({"tls": {"certificates": "acme"}})
    assert Settings.model_validate({"tls": {"certificates": "acme", "acme": {"agree_to_terms": True}}})


@pytest.mark.parametrize("secret", [
    "", "abc", "0123456789abcde", "x" * 40, "abababababababababab", "change-me-change-me-1",
    "changeme-changeme-changeme", "openssl rand -hex 24 makes one", "replace-this-with-a-token",
    "your-secret-goes-here", "my-password-is-long-enough", "an-example-secret-0123", "…………………… 0123456789",
])
@pytest.mark.parametrize("place", ["token", "webhook"])
def test_a_secret_that_can_be_guessed_is_refused_with_its_key(tmp_path: Path, place: str, secret: str) -> None:
    (tmp_path / "projects.d").mkdir()
    remote = {"url": "https://git.example/shop.git", "webhook_secrets": ["0f1e2d3c4b5a69788796a5b4", secret]}
    values = {"tokens": [{"name": "ada", "secret": secret}]} if place == "token" else {}
    (tmp_path / "deployd.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "projects.d/shop.yaml").write_text(yaml.safe_dump({"remote": remote} if place == "webhook" else {}))
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(tmp_path / "deployd.yaml")
    (said,) = caught.value.evidence
    key = "tokens.0.secret" if place == "token" else "projects.shop.remote.webhook_secrets.1"
    assert said.startswith(f"{key}: it ")
    assert not secret or secret not in said


@pytest.mark.parametrize("secret", ["0123456789abcdef", "k3J9xQ2mZ7vB5nL1wR8tY4pC", "correct horse battery staple"])
def test_a_long_secret_is_taken(secret: str) -> None:
    Settings.model_validate({"tokens": [{"name": "ada", "secret": secret}]})


def test_a_value_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deployd.yaml").write_text("projects: {shop: {variables: {'env:DAY': 2024-01-01}}}")
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(tmp_path / "deployd.yaml")
    assert "quotes" in caught.value.evidence[0]


def test_sensitive_values_are_known_with_their_keys() -> None:
    found = project(
        variables={"env:A": "open", "env:B": {"value": {"x": "y"}, "sensitive": True}},
        environments={"dev": {"variables": {"c": {"value": 12, "sensitive": True}}}},
    )
    assert found.sensitive() == {"variables.env:B": {"x": "y"}, "environments.dev.variables.c": 12}


def test_no_build_sees_a_secret_of_a_protected_environment_before_its_gate_is_open() -> None:
    """What comes by a webhook is built, merged or not; a push to deployd itself is refused before it is."""
    secret = {"value": "sesame-sesame", "sensitive": True, "visible_build": True}
    remote = {"url": "https://forge.example/shop.git"}

    def read(protected: Any, **more: Any) -> None:
        staging = {"protected": protected, "variables": {"env:KEY": secret}}
        Settings.model_validate({"projects": {"shop": {"environments": {"staging": staging}, **more}}})

    for protected, more, before in (
        ({"approvals": 1}, {}, "anybody has approved"), (True, {"remote": remote}, "by a webhook is merged"),
    ):
        with pytest.raises(ValidationError, match=f"visible in builds, and these run before .*{before}"):
            read(protected, **more)
    read(True)
    read(None, remote=remote)


@pytest.mark.parametrize(("remote", "key"), [
    ({"url": "https://git.example/acme/shop.git"}, "remote.forge"),
    ({"url": "file:///srv/acme/shop.git", "forge": "github"}, "remote.reports.api"),
    ({"url": "https://git.example/shop.git", "forge": "gitlab"}, "remote.url"),
])
def test_reports_that_would_reach_nobody_are_refused_with_the_key(remote: dict[str, Any], key: str) -> None:
    wanted = {**remote, "reports": {"token": "0123456789abcdef"}}
    with pytest.raises(ValueError, match=f"projects.shop.{key}"):
        Settings.model_validate({"projects": {"shop": {"id": "shop", "remote": wanted}}})


def test_the_token_of_reports_is_masked_like_all_secrets() -> None:
    remote = {"url": "git@github.com:acme/shop.git", "forge": "github", "reports": {"token": "0123456789abcdef"}}
    settings = Settings.model_validate({"projects": {"shop": {"id": "shop", "remote": remote}}})
    assert "0123456789abcdef" in settings.secrets()
