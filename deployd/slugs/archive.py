"""Slugs in permanent storage: one read-only file for each, named by its key, with what is known of it beside it.

    <folder>/<key>.squashfs    the file system: zstd, everything owned by the application's user
             <key>.json        size, checksum, files: written last, so a slug is there when this is
             <key>.….part      being packed; left over only by a crash

A slug is never changed. It is written under another name, synced and renamed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deployd.ids import SlugKey
from deployd.process import ProgramFailed, run
from deployd.slugs.errors import DiskFull, SlugDamaged, SlugMissing
from deployd.slugs.mount_points import make_mount_points
from deployd.units import MEGABYTE

LEVEL = 1
"""Of zstd: packing is waited for at every push, and the levels above give little for their time."""
MIN_FREE_BYTES = 500 * MEGABYTE
PACK_SECONDS, CHECK_SECONDS = 600, 300
KEY = re.compile(r"[0-9a-f]{64}")
FILES = re.compile(r"^Number of files (\d+)$", re.MULTILINE)
NO_ROOM = "No space left on device"


@dataclass(frozen=True, slots=True)
class Slug:
    """What is known of a packed slug."""

    key: SlugKey
    path: Path
    size_bytes: int
    files: int
    seconds: float
    """How long packing took."""
    checksum: str
    """BLAKE2b of the file, 128 hexadecimal digits."""


class SlugStore:
    """The folder with the slugs of one daemon."""

    def __init__(
        self, folder: Path, *, min_free_bytes: int = MIN_FREE_BYTES, processors: int | None = None,
        layers: bool = False,
    ) -> None:
        """
        Args:
            min_free_bytes: With less free space nothing is packed.
            processors: How many packing may use; None: all.
            layers: What is packed are layers of an overlay: what was removed in them and the kernel's marks are kept.
        """
        self.folder = folder
        self._layers = layers
        self._uses = threading.Lock()
        """Held between a look and a removal: whoever was told that a slug is there finds it there."""
        self._just_packed: dict[SlugKey, tuple[int, ...]] = {}
        """Files whose checksum is known without reading them again; asked once."""
        self._min_free_bytes = min_free_bytes
        self._processors = processors or os.cpu_count() or 1

    async def has(self, key: SlugKey) -> bool:
        """Whether the slug is there, by its size; the checksum is looked at before it is mounted. Counts as a use."""
        return await asyncio.to_thread(self._use, key)

    async def find(self, key: SlugKey) -> Slug:
        """
        Raises:
            SlugMissing: It is not in storage.
        """
        slug = await asyncio.to_thread(self._read, key)
        if slug is None:
            raise SlugMissing(f"the slug {key[:12]} is not in storage", hint="redeploy: it is built again")
        return slug

    async def about(self, key: SlugKey) -> Mapping[str, Any] | None:
        """What was written down beside a slug; None: it is not there."""
        return await asyncio.to_thread(self._about, key)

    async def last_use(self, key: SlugKey) -> float:
        """Unix time at which it was last packed or asked for; 0: it is not there."""
        note = self._note(key)
        return await asyncio.to_thread(lambda: note.stat().st_mtime if note.exists() else 0.0)

    async def list(self) -> tuple[Slug, ...]:
        """Every slug in storage, sorted by key."""
        return await asyncio.to_thread(self._list)

    async def pack(
        self, workspace: Path, key: SlugKey, mount_points: tuple[str, ...] = (), *, owner: int,
        about: Mapping[str, Any] | None = None,
    ) -> Slug:
        """Pack a built tree. Missing folders of mounts are made in it first; `.git` at its top is left out.

        A slug that is there already is taken as it is.

        Args:
            owner: Number of the user and group that everything in it belongs to.
            about: What is written down beside it, as JSON; `about` gives it.

        Raises:
            DiskFull: There is too little room; nothing was written.
            MountPointBlocked: A mount cannot have its folder.
        """
        if await self.has(key):
            return await self.find(key)
        await asyncio.to_thread(self._refuse_without_room)
        await asyncio.to_thread(make_mount_points, workspace, mount_points)
        part = self.folder / f"{key}.{uuid.uuid4().hex[:8]}.part"
        began = asyncio.get_running_loop().time()
        try:
            output = await run(*self._command(workspace, part, owner), limit_seconds=PACK_SECONDS)
            checksum = await checksum_of(part)
            found = FILES.search(output.text)
            slug = Slug(
                key, self.path(key), await asyncio.to_thread(_synced_size, part), int(found[1]) if found else 0,
                round(asyncio.get_running_loop().time() - began, 3), checksum,
            )
            note = part.with_suffix(".note")
            await asyncio.to_thread(_write_synced, note, json.dumps(
                asdict(slug) | {"path": slug.path.name, "about": about or {}},
            ))
            slug = self._publish(part, note, slug)
            self._just_packed[key] = await asyncio.to_thread(_identity, slug.path)
            await asyncio.to_thread(_sync_folder, self.folder)
        except ProgramFailed as error:
            if any(NO_ROOM in line for line in error.evidence):
                raise self._full() from None
            raise
        except OSError as error:
            if NO_ROOM in str(error):
                raise self._full() from None
            raise
        finally:
            for left in (part, part.with_suffix(".note")):
                await asyncio.to_thread(left.unlink, missing_ok=True)
        return slug

    async def verify(self, key: SlugKey) -> Slug:
        """The slug, after its whole file was read and compared with its checksum.

        Raises:
            SlugMissing: It is not in storage.
            SlugDamaged: It is not what was written; it is removed, so that the next deployment builds it again.
        """
        slug = await self.find(key)
        packed = self._just_packed.pop(key, None)
        if packed is not None and packed == await asyncio.to_thread(_identity, slug.path):
            return slug   # its checksum was taken from this very file a moment ago
        if await checksum_of(slug.path) != slug.checksum:
            await self.remove(key)
            raise SlugDamaged(
                f"the slug {key[:12]} is damaged: its checksum is wrong", where=str(slug.path),
                hint="redeploy: it is built again; look at the disk, it should not lose what was written",
            )
        return slug

    async def remove(self, key: SlugKey) -> None:
        """Take a slug out of storage; gone already is fine. One that is mounted stays readable until it is not."""
        await asyncio.to_thread(self._remove, key)

    async def remove_unused(self, key: SlugKey, before: float) -> bool:
        """Take a slug out of storage, unless it was packed or asked for since a moment (Unix time)."""
        return await asyncio.to_thread(self._remove_unused, key, before)

    async def sweep(self) -> None:
        """Remove what a crash left half packed. Only at the start of the daemon, when nothing is being packed."""
        await asyncio.to_thread(self._sweep)

    def _command(self, workspace: Path, part: Path, owner: int) -> tuple[str, ...]:
        # Without a look for duplicates: it compares files of the same size, and 30,000 of them took 20 s instead of 1.
        return (
            "mksquashfs", str(workspace), str(part), "-comp", "zstd", "-Xcompression-level", str(LEVEL),
            "-noappend", "-no-progress", "-no-recovery", "-no-exports", "-no-duplicates",
            "-processors", str(self._processors), "-force-uid", str(owner), "-force-gid", str(owner),
            *(("-xattrs",) if self._layers else ("-no-xattrs", "-e", ".git")),
        )

    def _publish(self, part: Path, note: Path, slug: Slug) -> Slug:
        # No await here: two branches may pack the same slug at once. The first one stays, it may be mounted already;
        # and file and note must be of one hand.
        there = self._read(slug.key)
        if there is None:
            target = self._note(slug.key)
            target.unlink(missing_ok=True)
            part.rename(slug.path)
            note.rename(target)
        return there or slug

    def _read(self, key: SlugKey) -> Slug | None:
        try:
            values = json.loads(self._note(key).read_bytes())
            path = self.path(key)
            if path.stat().st_size != values["size_bytes"]:
                return None
            return Slug(
                key, path, values["size_bytes"], values["files"], values["seconds"], values["checksum"],
            )
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def _about(self, key: SlugKey) -> Mapping[str, Any] | None:
        if self._read(key) is None:
            return None
        try:
            found = json.loads(self._note(key).read_bytes()).get("about")
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else {}

    def _list(self) -> tuple[Slug, ...]:
        names = sorted(path.stem for path in self.folder.glob("*.json"))
        found = (self._read(SlugKey(name)) for name in names if KEY.fullmatch(name))
        return tuple(slug for slug in found if slug is not None)

    def _remove(self, key: SlugKey) -> None:
        self._note(key).unlink(missing_ok=True)      # the note first: without it the slug is not there
        self.path(key).unlink(missing_ok=True)

    def _use(self, key: SlugKey) -> bool:
        with self._uses:
            if self._read(key) is None:
                return False
            os.utime(self._note(key))
            return True

    def _remove_unused(self, key: SlugKey, before: float) -> bool:
        with self._uses:
            note = self._note(key)
            if not note.exists() or note.stat().st_mtime >= before:
                return False
            self._remove(key)
            return True

    def _sweep(self) -> None:
        for left in (*self.folder.glob("*.part"), *self.folder.glob("*.note")):
            left.unlink(missing_ok=True)

    def _refuse_without_room(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.folder).free < self._min_free_bytes:
            raise self._full()

    def _full(self) -> DiskFull:
        free = shutil.disk_usage(self.folder).free // MEGABYTE
        return DiskFull(
            f"cannot pack the slug: {free} MB are free at {self.folder}, "
            f"{self._min_free_bytes // MEGABYTE} MB have to stay free",
            hint="make room on the disk and redeploy; nothing was changed",
        )

    def path(self, key: SlugKey) -> Path:
        """Where a slug's file is, when it is there."""
        assert KEY.fullmatch(key), key
        return self.folder / f"{key}.squashfs"

    def _note(self, key: SlugKey) -> Path:
        assert KEY.fullmatch(key), key
        return self.folder / f"{key}.json"


async def checksum_of(path: Path) -> str:
    """BLAKE2b of a file. A program does it: gigabytes in a thread could not be cancelled."""
    return (await run("b2sum", "--binary", str(path), limit_seconds=CHECK_SECONDS)).text.split(" ")[0].lstrip("\\")


def _identity(path: Path) -> tuple[int, ...]:
    """Changes with whatever is written into the file, or put in its place."""
    seen = path.stat()
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


def _synced_size(path: Path) -> int:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def _write_synced(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
