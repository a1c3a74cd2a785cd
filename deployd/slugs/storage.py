"""Slugs as deployments use them: packed and mounted by key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from weakref import WeakValueDictionary

from deployd.ids import SlugKey
from deployd.slugs.archive import Slug, SlugStore
from deployd.slugs.mount import ensure_mounted, ensure_unmounted, mounted, mounts_below


class Slugs:
    """Permanent storage and the folder below which slugs are mounted, each on a folder named by its key."""

    def __init__(self, store: SlugStore, mounts: Path) -> None:
        self.store = store
        self.mounts = mounts
        # Branches mount the same slug at the same time, and a look before the mount is no look at the mount.
        self._turns: WeakValueDictionary[SlugKey, asyncio.Lock] = WeakValueDictionary()

    async def has(self, key: SlugKey) -> bool:
        """Whether the slug is in storage."""
        return await self.store.has(key)

    async def list(self) -> tuple[Slug, ...]:
        """Every slug in storage."""
        return await self.store.list()

    async def pack(self, workspace: Path, key: SlugKey, mount_points: tuple[str, ...], *, owner: int) -> Slug:
        """Pack a built tree; see `SlugStore.pack`."""
        return await self.store.pack(workspace, key, mount_points, owner=owner)

    def place(self, key: SlugKey) -> Path:
        """Where a slug is mounted, when it is."""
        return self.mounts / key

    async def ensure_mounted(self, key: SlugKey) -> Path:
        """The folder with the slug's files. It is verified before it is mounted, not again while it is.

        Raises:
            SlugMissing, SlugDamaged: There is nothing to mount; the next deployment builds it again.
            SlugNotMounted: The host refused.
        """
        folder = self.place(key)
        async with self._turn(key):
            if await mounted(folder):
                return folder
            slug = await self.store.verify(key)
            return await ensure_mounted(slug.path, folder)

    async def all_mounted(self) -> frozenset[SlugKey]:
        """Slugs that are mounted now: one look at the kernel's list, however many there are."""
        return frozenset(SlugKey(item.path.name) for item in await mounts_below(self.mounts))

    async def ensure_unmounted(self, key: SlugKey, unless: Callable[[], Awaitable[bool]] | None = None) -> None:
        """Unmount a slug; not mounted is fine, and containers that have it keep it until they are started anew.

        Args:
            unless: Whether somebody needs it; asked when nobody can mount it any more before it is unmounted.
        """
        async with self._turn(key):
            if unless is None or not await unless():
                await ensure_unmounted(self.mounts / key)

    async def remove(self, key: SlugKey) -> None:
        """Unmount a slug and take it out of storage."""
        await self.ensure_unmounted(key)
        await self.store.remove(key)

    async def remove_unused(self, key: SlugKey, before: float) -> bool:
        """Take a slug out of storage, unless it is mounted, or was packed or asked for since a moment (Unix time)."""
        async with self._turn(key):
            if await mounted(self.mounts / key):
                return False
            return await self.store.remove_unused(key, before)

    def _turn(self, key: SlugKey) -> asyncio.Lock:
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = asyncio.Lock()
        return turn
