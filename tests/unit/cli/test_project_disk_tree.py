"""A folder on disk as a tree: what a push would bring, and nothing from outside."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deployd.cli.disk_tree import DiskTree
from deployd.cli.git_index import tracked_files

APP = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


def git(root: Path, *argv: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", root, *argv],
        check=True,
        capture_output=True,
    )


def test_files_are_listed_without_those_of_git(tmp_path: Path) -> None:
    make(tmp_path, "a", "b/c", ".git/config", "b/.git/x")
    assert sorted(DiskTree(tmp_path).paths()) == ["a", "b/c"]


def test_links_are_listed_and_never_followed(tmp_path: Path) -> None:
    make(tmp_path, "inside/a", "inside/sub/b", ".git/config")
    make(tmp_path.parent, "outside/secret")
    (tmp_path / "file").symlink_to(tmp_path.parent / "outside" / "secret")
    (tmp_path / "folder").symlink_to(tmp_path.parent / "outside")
    (tmp_path / "within").symlink_to(tmp_path / "inside")
    tree = DiskTree(tmp_path)
    assert sorted(tree.paths()) == ["file", "folder", "inside/a", "inside/sub/b", "within"]
    assert tree.is_link("file")
    assert tree.is_folder("inside/sub")
    assert tree.is_folder("")
    for path in (
        "file",
        "folder/secret",
        "within/a",
        "../outside/secret",
        "inside",
        "nothing",
        "inside/../inside/a",
        ".git/config",
    ):
        with pytest.raises(FileNotFoundError):
            tree.read(path)
    assert not tree.is_folder("within/sub")
    assert not tree.is_folder("..")
    assert tree.read("inside/a") == b"x"


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("format", ["sha1", "sha256"])
def test_the_index_of_git_says_what_is_tracked(tmp_path: Path, version: int, format: str) -> None:
    subprocess.run(["git", "init", "-q", f"--object-format={format}", tmp_path], check=True)
    names = ["a", "b/c", "b/d/e", "ä/ö", "long/" + "x" * 200, *(f"many/{number}" for number in range(300))]
    make(tmp_path, *names)
    git(tmp_path, "add", ".")
    make(tmp_path, "later")
    git(tmp_path, "add", "-N", "later")  # an intent to add needs the extended flags of version 3
    git(tmp_path, "update-index", "--index-version", str(version))
    assert tracked_files(tmp_path) == frozenset([*names, "later"])
    assert tracked_files(tmp_path / "b") == frozenset(["c", "d/e"])


def test_folders_that_git_does_not_track_are_not_searched(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    make(tmp_path, ".platform.app.yaml", "src/a", "src/deep/b")
    git(tmp_path, "add", ".")
    make(
        tmp_path,
        "node_modules/x/y/.platform.app.yaml",
        ".platform/services.yaml",
        "api/.platform.app.yaml",
        "src/new/c",
        "src/new/d/e",
    )
    found = sorted(DiskTree(tmp_path).paths())
    assert found == [
        ".platform.app.yaml",
        ".platform/services.yaml",
        "api/.platform.app.yaml",
        "src/a",
        "src/deep/b",
        "src/new/c",
    ]


def test_a_worktree_has_its_own_index(tmp_path: Path) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    subprocess.run(["git", "init", "-q", main], check=True)
    make(main, "a")
    git(main, "add", ".")
    git(main, "commit", "-qm", "x")
    git(main, "worktree", "add", "-q", str(tree))
    assert tracked_files(tree) == frozenset(["a"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"DIRC",
        b"DIRC" + b"\0" * 100,
        b"DIRC\0\0\0\2\0\0\0\5" + b"\xff" * 90,
        b"DIRC\0\0\0\4\0\0\0\1" + b"\xff" * 200,
    ],
)
def test_a_damaged_index_says_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index").write_bytes(data)
    make(tmp_path, "a/b")
    assert not tracked_files(tmp_path)
    assert "a/b" in list(DiskTree(tmp_path).paths()) or tracked_files(tmp_path) == frozenset()


def test_without_git_everything_counts(tmp_path: Path) -> None:
    make(tmp_path, "node_modules/x/.platform.app.yaml")
    assert list(DiskTree(tmp_path).paths()) == ["node_modules/x/.platform.app.yaml"]


def test_a_folder_with_a_repository_of_its_own_is_a_submodule(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / ".git").write_text("gitdir: ../.git/modules/lib\n")
    (tmp_path / ".git").mkdir()
    tree = DiskTree(tmp_path)
    assert [path for path in ("", "lib", "other") if tree.is_submodule(path)] == ["lib"]
