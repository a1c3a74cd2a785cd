"""`ssh:` in the settings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from deployd.settings import Settings


@pytest.mark.parametrize(("ssh", "public_url", "reached"), [
    ({}, "", None),
    ({"listen": "127.0.0.1:2222"}, "", ("localhost", 2222)),
    ({"listen": "0.0.0.0:2222"}, "https://deploy.example.com", ("deploy.example.com", 2222)),
    ({"listen": "192.0.2.7:22"}, "", ("192.0.2.7", 22)),
    ({"listen": "[::]:2222", "address": "ssh.example.com"}, "https://deploy.example.com", ("ssh.example.com", 22)),
    ({"listen": "[::]:2222", "address": "ssh.example.com:2200"}, "", ("ssh.example.com", 2200)),
    ({"listen": "[::1]:2222", "address": "[2001:db8::1]:2200"}, "", ("2001:db8::1", 2200)),
    ({"listen": "[::1]:2222", "address": "[2001:db8::1]"}, "", ("2001:db8::1", 22)),
])
def test_where_people_reach_it(ssh: dict[str, str], public_url: str, reached: tuple[str, int] | None) -> None:
    settings = Settings.model_validate({"ssh": ssh, "public_url": public_url})
    assert settings.ssh_reached_at == reached


def test_where_it_listens() -> None:
    assert Settings().ssh.listen_address is None
    assert Settings.model_validate({"ssh": {"listen": "[::]:2222"}}).ssh.listen_address == ("::", 2222)
    assert Settings.model_validate({"ssh": {"listen": ":2222"}}).ssh.listen_address == ("127.0.0.1", 2222)


@pytest.mark.parametrize("ssh", [
    {"listen": "2222"}, {"listen": "host:0"}, {"address": "a b"}, {"address": "host:x"}, {"idle_minutes": 0},
    {"port": 22},
])
def test_what_cannot_be_is_refused(ssh: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"ssh": ssh})
