"""Settings that cannot be used are refused when they are read, with the key that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deployd.settings import Settings, SettingsInvalid, load_settings


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
    {"network_pool": "10.0.0.1/12"}, {"freeze_seconds": 61}, {"instance": "Two Words"}, {"keep_versions": 0},
])
def test_what_cannot_be_used_is_refused_with_its_key(tmp_path: Path, wrong: dict[str, Any]) -> None:
    file = tmp_path / "deployd.yaml"
    file.write_text(yaml.safe_dump(wrong))
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
