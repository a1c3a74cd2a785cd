"""The server's own key: made once, kept, and shown as ssh shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.ssh.host_key import NAME, HostKeyUnusable, ensure_host_key


def test_it_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = ensure_host_key(tmp_path / "ssh")
    assert ensure_host_key(tmp_path / "ssh") == key
    assert (tmp_path / "ssh").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "ssh" / NAME).stat().st_mode & 0o777 == 0o600
    assert key.kind == "ssh-ed25519"


BROKEN = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize("text", ["", "nonsense", BROKEN])
def test_one_that_cannot_be_read_is_told_and_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(HostKeyUnusable, match="cannot be read"):
        ensure_host_key(tmp_path)
    assert (tmp_path / NAME).read_text() == text


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text("")
    with pytest.raises(HostKeyUnusable, match="cannot be kept"):
        ensure_host_key(tmp_path / "ssh")
