"""Which files of a commit are pointers of Git LFS: the list says it, and the file itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.cli.disk_tree import DiskTree
from deployd.project.findings.findings import Findings
from deployd.project.reader import read_project
from deployd.project.tree.files import Files
from deployd.project.tree.lfs import MOST_LOOKED_AT, find_pointers
from deployd.project.tree.limits import TreeLimits
from deployd.reading.trees import CommitTree
from tests.doubles.trees import DictTree

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345\n"
APP = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: public}}}\n"


def found(files: dict[str, str | bytes | None]) -> list[str]:
    return find_pointers(Files(DictTree(files), Findings()))


@pytest.mark.parametrize(("pattern", "kept"), [
    ("*.png", ["a.png", "deep/a/b.png"]), ("/a.png", ["a.png"]), ("deep/**", ["deep/a/b.png", "deep/c.psd"]),
    ("deep/**/b.png", ["deep/a/b.png"]), ('"with blank.psd"', ["with blank.psd"]), ("*", None), ("# *.png", []),
    ("*.gif", []),
])
def test_patterns_are_read_as_git_reads_them(pattern: str, kept: list[str] | None) -> None:
    paths = ("a.png", "deep/a/b.png", "deep/c.psd", "with blank.psd")
    files: dict[str, str | bytes | None] = dict.fromkeys(paths, POINTER)
    wanted = sorted(files) if kept is None else kept
    assert found({**files, ".gitattributes": f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"}) == wanted


def test_a_list_counts_below_its_own_folder_and_a_file_for_what_it_holds() -> None:
    files: dict[str, str | bytes | None] = {
        "media/.gitattributes": "*.png filter=lfs\n", "media/a.png": POINTER, "a.png": POINTER, "media/link.png": None,
        "media/content.png": "x" * 130, "media/large.png": POINTER + "x" * 5_000,
    }
    assert found(files) == ["media/a.png"]
    assert found({"a.png": POINTER, ".gitattributes": "*.png diff=lfs\n"}) == []


def test_many_are_not_all_looked_at_and_the_words_say_so() -> None:
    files: dict[str, str | bytes | None] = {f"{number}.png": POINTER for number in range(MOST_LOOKED_AT + 50)}
    result = read_project(DictTree({**files, ".gitattributes": "*.png filter=lfs\n", ".platform.app.yaml": APP}))
    (warning,) = result.warnings
    assert warning.code == "lfs-pointer"
    assert " and many more are pointers of Git LFS" in warning.what


def test_a_commit_without_such_a_list_costs_no_look_at_its_files() -> None:
    asked: list[str] = []
    names = {"a" * 40: APP.encode(), "b" * 40: b"*.png -text\n", "c" * 40: POINTER.encode()}
    listing = "".join(
        f"100644 blob {name} {len(names[name])}\t{path}\0"
        for path, name in ((".platform.app.yaml", "a" * 40), (".gitattributes", "b" * 40), ("a.png", "c" * 40))
    ).encode()

    def load(wanted: object) -> list[bytes]:
        assert isinstance(wanted, list)
        asked.extend(wanted)
        return [names[name] for name in wanted]

    assert read_project(CommitTree(listing, TreeLimits(), load)).findings == ()
    assert asked == ["a" * 40, "b" * 40]


def test_a_check_knows_pointers_where_git_lfs_has_put_the_contents(tmp_path: Path) -> None:
    (tmp_path / ".gitattributes").write_text("*.png filter=lfs\n")
    (tmp_path / "a.png").write_bytes(b"x" * 5_000)
    assert find_pointers(Files(DiskTree(tmp_path), Findings())) == []
    (tmp_path / ".git" / "lfs").mkdir(parents=True)
    (tmp_path / ".git" / "index").write_bytes(b"")
    assert DiskTree(tmp_path).smudges
    assert find_pointers(Files(DiskTree(tmp_path), Findings())) == ["a.png"]
