"""The files with the passwords of services: whole, for root's folders only, and changed only when the password is."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.ids import EnvironmentId, EnvironmentName, ProjectId
from deployd.release.services.secrets import (
    SecretsNotLaidOut,
    ensure_secret_files,
    forget_secret_files,
    secret_file,
    secrets_folder,
)

WHOSE = (EnvironmentId(ProjectId("shop"), EnvironmentName("main")), "db")


async def test_each_form_is_written_and_only_root_gets_there(tmp_path: Path) -> None:
    await ensure_secret_files(tmp_path, *WHOSE, "very-secret")
    assert secret_file(tmp_path, *WHOSE, "password").read_text() == "very-secret"
    assert secret_file(tmp_path, *WHOSE, "rabbitmq.conf").read_text() == "default_pass = very-secret\n"
    for path in (secrets_folder(tmp_path), *secrets_folder(tmp_path).rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o444)
    assert not list(tmp_path.rglob(".*")), "nothing half written is left"


async def test_a_file_is_replaced_only_when_its_password_is_another(tmp_path: Path) -> None:
    """A container holds the file that it was started with."""
    file = secret_file(tmp_path, *WHOSE, "password")
    await ensure_secret_files(tmp_path, *WHOSE, "one-password")
    first = file.stat().st_ino
    await ensure_secret_files(tmp_path, *WHOSE, "one-password")
    assert file.stat().st_ino == first
    (file.parent / ".password.new").write_text("half")   # a daemon that died in the midst of it
    await ensure_secret_files(tmp_path, *WHOSE, "two-passwords")
    assert file.read_text() == "two-passwords"


async def test_a_file_that_cannot_be_written_is_told_with_its_place(tmp_path: Path) -> None:
    secrets_folder(tmp_path).mkdir()
    (secrets_folder(tmp_path) / "shop").write_text("in the way")
    with pytest.raises(SecretsNotLaidOut) as caught:
        await ensure_secret_files(tmp_path, *WHOSE, "very-secret")
    assert "very-secret" not in str(caught.value.lines())
    assert caught.value.where.startswith(str(tmp_path))


async def test_they_go_with_the_environment(tmp_path: Path) -> None:
    await ensure_secret_files(tmp_path, *WHOSE, "very-secret")
    await ensure_secret_files(tmp_path, WHOSE[0]._replace(name=EnvironmentName("dev")), "db", "very-secret")
    for _ in range(2):
        await forget_secret_files(tmp_path, WHOSE[0])
    assert [path.name for path in (secrets_folder(tmp_path) / "shop").iterdir()] == ["dev"]
