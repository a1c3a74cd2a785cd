"""Which files git tracks in a checkout, from its index alone: no program is started for it.

Only what `deployd check` needs: versions 2 to 4 of the index, paths and nothing else. Whatever is odd (no checkout, a
version that is not known, a split index) gives None, and the caller looks at the whole folder.
"""

from __future__ import annotations

import struct
from pathlib import Path

_HASHES = (20, 32)  # SHA-1 and SHA-256 repositories; the index does not say which
_FIXED = 40  # bytes of an entry before the hash: times, device, inode, mode, owner, size
_EXTENDED = 0x4000
LARGEST_INDEX = 200 << 20


def tracked_files(folder: Path) -> frozenset[str] | None:
    """Paths below the folder that git tracks, relative to it; None when that cannot be said."""
    for root in (folder, *folder.parents):
        git = root / ".git"
        if git.exists():
            index = _index_of(git)
            paths = _read(index) if index is not None else None
            if paths is None:
                return None
            prefix = "" if root == folder else f"{folder.relative_to(root).as_posix()}/"
            return frozenset(path.removeprefix(prefix) for path in paths if path.startswith(prefix))
    return None


def _index_of(git: Path) -> Path | None:
    """The index of a checkout, also of a worktree or submodule, where `.git` is a file that names a folder."""
    if git.is_dir():
        return git / "index"
    text = git.read_text(errors="replace").strip()
    return (git.parent / text.removeprefix("gitdir:").strip() / "index") if text.startswith("gitdir:") else None


def _read(index: Path) -> list[str] | None:
    try:
        if index.stat().st_size > LARGEST_INDEX:
            return None
        data = index.read_bytes()
    except OSError:
        return None
    for hash_length in _HASHES:
        paths = _parse(data, hash_length)
        if paths is not None:
            return paths
    return None


def _parse(data: bytes, hash_length: int) -> list[str] | None:
    """Paths of all entries, or None when the bytes do not make sense with this length of hashes."""
    if len(data) < 12 + hash_length or data[:4] != b"DIRC":
        return None
    version, count = struct.unpack(">II", data[4:12])
    if version not in (2, 3, 4) or count * (_FIXED + hash_length + 2) > len(data):
        return None
    at, previous, paths = 12, b"", []
    for _ in range(count):
        start, at = at, at + _FIXED + hash_length
        if at + 2 > len(data):
            return None
        flags = int.from_bytes(data[at : at + 2], "big")
        at += 4 if flags & _EXTENDED else 2
        cut = 0
        if version == 4:
            cut, at = _offset(data, at)
        end = data.find(b"\0", at)
        if end < 0 or cut > len(previous):
            return None
        path = previous[: len(previous) - cut] + data[at:end] if version == 4 else data[at:end]
        if min(len(path), 0xFFF) != flags & 0xFFF:
            return None
        at = end + 1 if version == 4 else start + (end - start + 8) // 8 * 8
        previous = path
        paths.append(path.decode("utf-8", "surrogateescape"))
    return paths


def _offset(data: bytes, at: int) -> tuple[int, int]:
    """Git's variable-length number, and where it ends."""
    value = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value = (value << 7) | (byte & 0x7F)
        if not byte & 0x80:
            break
        value += 1
    return value, at
