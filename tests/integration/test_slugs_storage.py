"""Slugs against the real mksquashfs and the real kernel."""

import asyncio
import os
from pathlib import Path

import pytest

from deployd.engine.docker.probes import is_mounted_for
from deployd.ids import SlugKey
from deployd.process import run
from deployd.slugs.archive import SlugStore
from deployd.slugs.errors import DiskFull, SlugDamaged, SlugMissing
from deployd.slugs.mount import FILE_SYSTEM, mounted, mounts_below
from deployd.slugs.storage import Slugs

OWNER = 2_000_000
KEY = SlugKey("a1" * 32)


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "work"
    (folder / "src").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("secret")
    (folder / "index.php").write_text("<?php\n" * 100)
    (folder / "src/run").write_text("#!/bin/sh\n")
    (folder / "src/run").chmod(0o4755)
    (folder / "link").symlink_to("src/run")
    return folder


@pytest.fixture
async def slugs(tmp_path):
    found = Slugs(SlugStore(tmp_path / "slugs", min_free_bytes=0), tmp_path / "mounts")
    yield found
    for item in await mounts_below(found.mounts):
        await run("umount", "--lazy", str(item.path))


async def test_what_was_packed_can_be_read_but_not_written(slugs, workspace):
    slug = await slugs.pack(workspace, KEY, ("var/cache",), owner=OWNER)
    assert slug.files == 2
    assert slug.size_bytes == slug.path.stat().st_size
    assert await slugs.has(KEY)
    folder = await slugs.ensure_mounted(KEY)
    assert (folder / "index.php").read_text().startswith("<?php")
    assert (folder / "link").readlink() == Path("src/run")
    assert (folder / "var/cache").is_dir()
    assert not (folder / ".git").exists()
    assert {path.lstat().st_uid for path in folder.rglob("*")} == {OWNER}
    with pytest.raises(OSError, match="Read-only"):
        (folder / "new").write_text("")
    options = next(line for line in Path("/proc/self/mounts").read_text().splitlines() if str(folder) in line)
    assert {"nosuid", "nodev", "ro"} <= set(options.split()[3].split(","))


async def test_the_kernel_says_whether_a_process_sees_a_slug(slugs, workspace):
    await slugs.pack(workspace, KEY, (), owner=OWNER)
    folder = await slugs.ensure_mounted(KEY)
    assert is_mounted_for(os.getpid(), folder, FILE_SYSTEM)
    await slugs.ensure_unmounted(KEY)
    folder.mkdir(exist_ok=True)   # an empty folder is what a container gets that was started too early
    assert not is_mounted_for(os.getpid(), folder, FILE_SYSTEM)


async def test_mounting_and_unmounting_may_happen_twice_and_leave_no_loop_device(slugs, workspace):
    slug = await slugs.pack(workspace, KEY, (), owner=OWNER)
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(slugs.ensure_mounted(KEY))
    assert len(await mounts_below(slugs.mounts)) == 1
    assert str(slug.path) in (await run("losetup", "--list", "--output", "BACK-FILE")).text
    handle = os.open(slugs.mounts / KEY, os.O_RDONLY)      # somebody is in it
    await slugs.ensure_unmounted(KEY)
    await slugs.ensure_unmounted(KEY)
    assert not await mounted(slugs.mounts / KEY)
    assert not (slugs.mounts / KEY).exists()
    os.close(handle)
    async with asyncio.timeout(5):
        while str(slug.path) in (await run("losetup", "--list", "--output", "BACK-FILE")).text:
            await asyncio.sleep(0.05)


async def test_the_same_slug_packed_twice_at_once_is_one_whole_slug(slugs, workspace):
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(slugs.pack(workspace, KEY, (), owner=OWNER))
    await slugs.store.verify(KEY)
    assert sorted(path.suffix for path in slugs.store.folder.iterdir()) == [".json", ".squashfs"]
    assert [slug.key for slug in await slugs.store.list()] == [KEY]


async def test_a_damaged_slug_is_not_mounted_but_taken_away(slugs, workspace):
    slug = await slugs.pack(workspace, KEY, (), owner=OWNER)
    with slug.path.open("r+b") as file:
        file.seek(slug.size_bytes // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))
    with pytest.raises(SlugDamaged):
        await slugs.ensure_mounted(KEY)
    assert not await slugs.has(KEY)
    with pytest.raises(SlugMissing):
        await slugs.ensure_mounted(KEY)


async def test_a_slug_that_is_too_short_is_not_there_and_is_packed_again(slugs, workspace):
    slug = await slugs.pack(workspace, KEY, (), owner=OWNER)
    os.truncate(slug.path, 100)
    assert not await slugs.has(KEY)
    await slugs.pack(workspace, KEY, (), owner=OWNER)
    await slugs.store.verify(KEY)


async def test_half_a_slug_of_a_crash_is_swept_away(slugs, workspace):
    await slugs.pack(workspace, KEY, (), owner=OWNER)
    (slugs.store.folder / f"{KEY}.1234.part").write_text("half")
    await slugs.store.sweep()
    assert len(list(slugs.store.folder.iterdir())) == 2
    await slugs.remove(KEY)
    await slugs.remove(KEY)
    assert not list(slugs.store.folder.iterdir())


async def test_without_room_nothing_is_packed(tmp_path, workspace):
    store = SlugStore(tmp_path / "slugs", min_free_bytes=1 << 60)
    with pytest.raises(DiskFull, match="have to stay free"):
        await store.pack(workspace, KEY, owner=OWNER)
    assert not list(store.folder.iterdir())


async def test_a_disk_that_fills_up_while_packing_says_so_and_leaves_nothing(tmp_path, workspace):
    (workspace / "big").write_bytes(os.urandom(4_000_000))
    small = tmp_path / "small"
    small.mkdir()
    await run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small))
    try:
        with pytest.raises(DiskFull):
            await SlugStore(small, min_free_bytes=0).pack(workspace, KEY, owner=OWNER)
        assert not list(small.iterdir())
    finally:
        await run("umount", str(small))
