"""Settings that cannot be used are refused when they are read, with the key that is wrong."""

from __future__ import annotations

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


def test_what_is_no_yaml_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "deployd.yaml").write_text("listen: 127.0.0.1:1\nlimits: [\n")
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(tmp_path / "deployd.yaml")
    assert caught.value.where == f"{tmp_path}/deployd.yaml:3:1"
    assert "\n" not in caught.value.what


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
    key = "tokens.0 (ada)" if place == "token" else "projects.shop.remote.webhook_secrets.1"
    assert said.startswith(f"settings: {key}: it ")
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
