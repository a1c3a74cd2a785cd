"""The file with the keys that seal secrets: one key in each line, in base64; the first seals, the others only open.

It lies outside the database and its backups. systemd may hand it over as a credential (`deployd-key`) instead, which
can be encrypted with the host's TPM.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import ClassVar

from deployd.errors import DeployError
from deployd.state.sealing import KEY_BYTES

CREDENTIAL = "deployd-key"
OTHERS = 0o077
HEAD = """\
# The key to the secrets in deployd's database. Without it they are lost: keep a copy, and not beside the database.
# To change it: write a new line above (openssl rand -base64 32), start deployd once, and remove the line below it.
"""


class KeyMissing(DeployError):
    """There are sealed secrets and no key."""

    code: ClassVar[str] = "key-missing"


class KeyUnusable(DeployError):
    """The key file cannot be read or made, or others can read it, or what it holds is no key."""

    code: ClassVar[str] = "key-unusable"


def key_place(key_file: Path) -> Path:
    """Where the keys are: systemd's credential when there is one, else the file of the settings."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    credential = Path(folder) / CREDENTIAL if folder else None
    return credential if credential is not None and credential.exists() else key_file


def read_keys(place: Path) -> list[bytes]:
    """The keys of a file, the one that seals first; empty when there is no such file.

    Raises:
        KeyUnusable: It cannot be used.
    """
    try:
        handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyUnusable(f"cannot read the key file: {error.strerror}", where=str(place)) from None
    seen = os.fstat(handle)
    if not stat.S_ISREG(seen.st_mode) or seen.st_mode & OTHERS or seen.st_uid != os.geteuid():
        os.close(handle)
        raise KeyUnusable("the key file is no file that is root's alone", where=str(place),
                          hint=f"chown root {place} && chmod 600 {place}")
    with os.fdopen(handle) as file:
        lines = [line.strip() for line in file]
    keys = [_key(line, number, place) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not keys:
        raise KeyUnusable("the key file has no key", where=str(place), hint="put the copy of it in its place again")
    return keys


def make_key(place: Path) -> list[bytes]:
    """Write a file with a new key. It is there whole or not at all, and never takes another's place.

    Raises:
        KeyUnusable: It cannot be written.
    """
    key = os.urandom(KEY_BYTES)
    half = place.with_name(f".{place.name}.new")
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half.unlink(missing_ok=True)
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"{HEAD}{base64.b64encode(key).decode()}\n")
            file.flush()
            os.fsync(handle)
        os.link(half, place)
        half.unlink()
        folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise KeyUnusable(
            f"cannot write a key file: {error.strerror}", where=str(place),
            hint="make its folder writable for root, or name another place with `key_file`",
        ) from None
    return [key]


def _key(line: str, number: int, place: Path) -> bytes:
    try:
        key = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnusable(f"this line is no key: {KEY_BYTES} bytes in base64 are", where=f"{place}:{number}",
                          hint="openssl rand -base64 32 makes one; a line that begins with # is a remark")
    return key
