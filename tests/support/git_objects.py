"""Objects as git itself would never make them, written into a working tree's repository."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

from deployd.ids import CommitId

TREE, BLOB, LINK, SUBMODULE = "40000", "100644", "120000", "160000"


def write_object(folder: Path, kind: str, body: bytes) -> str:
    """An object as git would never make it. Returns its id."""
    whole = f"{kind} {len(body)}\0".encode() + body
    name = hashlib.sha1(whole).hexdigest()
    file = folder / ".git/objects" / name[:2] / name[2:]
    file.parent.mkdir(exist_ok=True)
    if not file.exists():
        file.write_bytes(zlib.compress(whole))
    return name


def write_tree(folder: Path, *entries: tuple[str, str, str]) -> str:
    return write_object(folder, "tree", b"".join(
        f"{mode} {name}\0".encode("utf-8", "surrogateescape") + bytes.fromhex(target) for mode, name, target in entries
    ))


def write_commit(folder: Path, tree: str, more: str = "") -> CommitId:
    person = "Ada <ada@example.com> 1700000000 +0000"
    return CommitId(write_object(
        folder, "commit", f"tree {tree}\n{more}author {person}\ncommitter {person}\n\nA change\n".encode(),
    ))


def bomb(folder: Path, depth: int = 10, width: int = 10, size: int = 1) -> CommitId:
    """width^depth files with depth + 3 objects."""
    target, mode = write_object(folder, "blob", b"x" * size), BLOB
    for _ in range(depth):
        target, mode = write_tree(folder, *((mode, f"a{number:02}", target) for number in range(width))), TREE
    return write_commit(folder, target)
