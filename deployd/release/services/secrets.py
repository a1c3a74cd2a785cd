"""The passwords of services' administrators as files in memory, which their containers see instead of a variable.

A variable stands in `docker inspect`, and in a file of Docker's on the disk. These files lie below the run folder, in
folders that only root may enter; where that is on a disk, a file system in memory is mounted for them. A container sees
its own file and no other, read-only.
Surprise: every user may read a file. The folders above keep others of the host out, and in the container there is
nobody but the service, under a number that is the image's own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from deployd.confined.mountinfo import read_mounts
from deployd.confined.trees import remove_tree
from deployd.errors import DeployError
from deployd.ids import EnvironmentId
from deployd.process import ProgramFailed, run
from deployd.services.families import SECRET_FORMS

ROOT = "root"
"""Name of an administrator's password in the database."""
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
MOUNT_SECONDS = 30
OPTIONS = "rw,nosuid,nodev,noexec,mode=0700,size=64m"


class SecretsNotLaidOut(DeployError):
    """The files with the passwords of services cannot be written."""

    code: ClassVar[str] = "secrets-not-laid-out"


def secrets_folder(run_folder: Path) -> Path:
    return run_folder / "secrets"


def secret_file(
    run_folder: Path, environment: EnvironmentId, service: str, form: str,
) -> Path:
    """Where a service's container finds the password of its administrator, in one of `SECRET_FORMS`."""
    return secrets_folder(run_folder) / environment.project / environment.name / service / form


async def lay_out_secrets(
    run_folder: Path, passwords: Iterable[tuple[EnvironmentId, str, str]],
) -> None:
    """Have the files of all services, as after a start of the host there are none.

    Args:
        passwords: (environment, service, password)

    Raises:
        SecretsNotLaidOut: The disk, or the kernel.
    """
    folder = secrets_folder(run_folder)
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    if not await asyncio.to_thread(_is_in_memory, folder):
        try:
            await run("mount", "-t", "tmpfs", "-o", OPTIONS, "deployd-secrets", str(folder),
                      limit_seconds=MOUNT_SECONDS)
        except ProgramFailed as error:
            raise SecretsNotLaidOut(
                "cannot mount a file system in memory for the passwords of services", where=str(folder),
                evidence=error.evidence, hint="let `run` be a folder below /run, which is in memory",
            ) from None
    await asyncio.to_thread(_write_all, run_folder, list(passwords))


async def ensure_secret_files(
    run_folder: Path, environment: EnvironmentId, service: str, password: str,
) -> None:
    """Have the files of one service. A container that runs keeps what it has.

    Raises:
        SecretsNotLaidOut: They cannot be written.
    """
    await asyncio.to_thread(_write_all, run_folder, [(environment, service, password)])


async def forget_secret_files(run_folder: Path, environment: EnvironmentId) -> None:
    """The environment and its data are gone."""
    await remove_tree(secrets_folder(run_folder) / environment.project / environment.name)


def _is_in_memory(folder: Path) -> bool:
    path = folder.resolve()
    around = [item for item in read_mounts() if item.path == path or item.path in path.parents]
    return max(around, key=lambda item: len(item.path.parts)).kind in IN_MEMORY if around else False


def _write_all(run_folder: Path, passwords: list[tuple[EnvironmentId, str, str]]) -> None:
    for environment, service, password in passwords:
        for form, text in SECRET_FORMS.items():
            file = secret_file(run_folder, environment, service, form)
            try:
                _write(file, text.format(password))
            except OSError as error:
                raise SecretsNotLaidOut(
                    f"cannot write the password of the service {service}: {error.strerror}", where=str(file),
                    hint="make room in memory, or remove what is in its way",
                ) from None


def _write(file: Path, text: str) -> None:
    """Whole, and only when it changes: a container holds the file that it was started with."""
    with suppress(FileNotFoundError):
        if file.read_text() == text:
            return
    for folder in reversed((file.parent, *file.parent.parents)):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    half = file.with_name(f".{file.name}.new")
    half.unlink(missing_ok=True)
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    with os.fdopen(handle, "w") as opened:
        os.fchmod(handle, 0o444)
        opened.write(text)
    half.rename(file)
