"""What du and rm do for us with trees that strangers made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deployd.confined.trees import read_use, remove_tree, size_of
from deployd.process import ProgramOverran

MEGABYTE = 1_000_000
DEPTH = 1500
"""Levels; Python gives up at a thousand, and a path may have 4096 bytes."""


def deep(folder: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(folder)
        for _ in range(DEPTH):
            os.mkdir("a-long-name")
            os.chdir("a-long-name")
        Path("big").write_bytes(b"x" * 3 * MEGABYTE)
    finally:
        os.chdir(here)


def linked(folder: Path) -> None:
    (folder / "big").write_bytes(b"x" * 3 * MEGABYTE)
    for number in range(10):
        os.link(folder / "big", folder / f"again-{number}")
    (folder / "root").symlink_to("/")


def sparse(folder: Path) -> None:
    with (folder / "sparse").open("wb") as file:
        file.truncate(10**12)
        file.write(b"x" * 3 * MEGABYTE)


def odd_names(folder: Path) -> None:
    for name in (b"-rf", b"a\tb\nc", b"\xff\xfe", b"12\tetc"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"x" * 750_000)


@pytest.mark.parametrize("make", [deep, linked, sparse, odd_names])
async def test_a_hostile_tree_is_counted_as_what_it_takes_and_is_removed(
    tmp_path: Path, make: Callable[[Path], None],
) -> None:
    folder, beside = tmp_path / "hostile", tmp_path / "beside"
    folder.mkdir()
    beside.write_text("stays")
    make(folder)
    use = await read_use(folder, tmp_path / "not-there")
    assert 2.9 * MEGABYTE < use.size_bytes < 14 * MEGABYTE, "a folder takes a block of 4 kB itself"
    assert use.size_bytes == await size_of(folder)
    assert use.files > DEPTH if make is deep else use.files < 20
    await remove_tree(folder)
    assert not folder.exists()
    assert beside.read_text() == "stays"


async def test_a_link_is_removed_and_not_where_it_leads(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").write_text("stays")
    link = tmp_path / "link"
    link.symlink_to(target)
    assert (await read_use(link)).size_bytes < MEGABYTE
    await remove_tree(link)
    await remove_tree(link)
    assert (target / "file").read_text() == "stays"
    assert not link.is_symlink()


async def test_counting_ends_with_its_time(tmp_path: Path) -> None:
    with pytest.raises(ProgramOverran):
        await read_use(Path("/"), limit_seconds=0)
    assert await size_of(tmp_path / "not-there") == 0
