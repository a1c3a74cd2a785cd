"""Which files of two trees differ: by size, rights, target and content, in bounded room."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.slugs import file_changes as module
from deployd.slugs.file_changes import compare_trees


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "src/deep").mkdir(parents=True)
        (folder / "same").write_text("the same")
        (folder / "src/deep/same").write_text("the same")
        (folder / "link").symlink_to("same")
    return one, other


def test_trees_with_the_same_files_do_not_differ_whenever_they_were_written(trees: tuple[Path, Path]) -> None:
    found = compare_trees(*trees)
    assert (found.counts, found.files, found.grown_bytes) == ({"added": 0, "changed": 0, "removed": 0}, [], 0)


def test_each_kind_of_difference_is_told_with_its_sizes(trees: tuple[Path, Path]) -> None:
    one, other = trees
    (one / "content").write_text("1111")
    (other / "content").write_text("2222")
    (one / "size").write_text("1")
    (other / "size").write_text("22")
    for folder in trees:
        (folder / "rights").write_text("x")
    (other / "rights").chmod(0o755)
    (other / "link").unlink()
    (other / "link").symlink_to("src")
    (one / "src/deep/gone").write_text("123")
    (other / "new").mkdir()
    (other / "new/file").write_text("12345")
    (one / "was-file").write_text("1")
    (other / "was-file").mkdir()
    (other / "was-file/inside").write_text("12")
    found = compare_trees(one, other)
    assert found.files == [
        ("changed", "content", 4, 4), ("changed", "link", 4, 3), ("added", "new/file", None, 5),
        ("changed", "rights", 1, 1), ("changed", "size", 1, 2), ("removed", "src/deep/gone", 3, None),
        ("removed", "was-file", 1, None), ("added", "was-file/inside", None, 2),
    ]
    assert found.counts == {"added": 2, "changed": 4, "removed": 2}
    assert found.grown_bytes == -1 + 5 + 1 - 3 - 1 + 2


def test_what_is_named_is_bounded_and_the_rest_is_counted(
    trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    for number in range(10):
        (trees[1] / f"{number}-{'x' * 200}").write_text("12")
    found = compare_trees(*trees)
    assert (len(found.files), found.counts["added"], found.grown_bytes) == (3, 10, 20)


def test_contents_that_there_is_no_time_for_are_counted_and_sizes_told_all_the_same(trees: tuple[Path, Path]) -> None:
    (trees[0] / "content").write_text("1111")
    (trees[1] / "content").write_text("2222")
    (trees[1] / "new").write_text("1")
    found = compare_trees(*trees, read_seconds=-1)
    assert (found.unread, found.counts["added"], found.counts["changed"]) == (3, 1, 0)


def test_a_name_in_any_bytes_is_told_as_text(trees: tuple[Path, Path]) -> None:
    with open(bytes(trees[1]) + b"/\xff\n<b>", "w") as file:
        file.write("1")
    assert compare_trees(*trees).files == [("added", "\ufffd\n<b>", None, 1)]


def test_when_the_time_is_over_the_folders_that_are_left_are_counted(trees: tuple[Path, Path]) -> None:
    (trees[1] / "new").write_text("1")
    found = compare_trees(*trees, look_seconds=-1)
    assert (found.skipped, found.files) == (1, [])
