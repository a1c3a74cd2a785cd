"""Submodules are fetched before a commit is taken, each into its mirror, where the build finds it later.

What can never be had is told to the pusher, all at once. What does not answer within a few seconds is left to the
build, which waits longer: a server that is slow is no reason to refuse somebody's push.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deployd.errors import DeployError, Transient
from deployd.git.mirror import Mirror
from deployd.git.origin import Origin
from deployd.git.proxy import open_fetch_proxy
from deployd.git.submodule_list import Submodule, links_of, read_submodules, refuse_unusable, submodules_of
from deployd.git.submodules import MOST_RECEIVED_BYTES, Submodules, modules_of
from deployd.ids import CommitId

LOOK_SECONDS, SLOW_SECONDS = 20.0, 60.0


@dataclass
class Prefetched:
    """What could not be had."""

    errors: list[DeployError] = field(default_factory=list)
    """What will not go better later."""
    unseen: list[Submodule] = field(default_factory=list)
    """Those that did not answer in time."""

    def notes(self) -> list[str]:
        return [f"the submodule {item.shown} was not had in time; the build asks for it again" for item in self.unseen]


class SubmodulePrefetch:
    """Fetches the submodules of many commits; one push may have thousands of branches."""

    def __init__(self, limit_seconds: float = LOOK_SECONDS) -> None:
        self._limit_seconds = limit_seconds
        self._slow_until: dict[Path, float] = {}
        """Repositories whose submodules have not answered in time: the next branches need not wait for them, too."""

    async def at(
        self, mirror: Mirror, commit: CommitId, listing: bytes, roots: Iterable[str], origin: Origin,
        env: Mapping[str, str] | None,
    ) -> Prefetched:
        """Have the submodules that builds of a commit will need.

        Args:
            listing: Of the whole commit, or of its submodules alone.
            roots: Folders of the applications; what lies in none of them is not built.
            env: Where the objects of a push lie until it is accepted.
        """
        prefetched, kept = Prefetched(), tuple(roots)
        if not links_of(listing):
            return prefetched
        found = tuple(
            item for item in await submodules_of(mirror, commit, "", listing, origin.base, env)
            if any(not root or item.path == root or item.path.startswith(f"{root}/") for root in kept)
        )
        now = asyncio.get_running_loop().time()
        ends_at = now if now < self._slow_until.get(mirror.path, 0) else now + self._limit_seconds
        async with open_fetch_proxy(origin.openings, MOST_RECEIVED_BYTES) as proxy:
            try:
                await _have(Submodules(modules_of(mirror), proxy, ends_at), found, prefetched)
            except DeployError as error:   # there are too many of them
                prefetched.errors.append(error)
        if prefetched.unseen and ends_at > now:   # else nobody was waited for
            self._slow_until[mirror.path] = asyncio.get_running_loop().time() + SLOW_SECONDS
        return prefetched


async def _have(submodules: Submodules, found: tuple[Submodule, ...], prefetched: Prefetched, depth: int = 0) -> None:
    submodules.add(found, depth)
    usable = [item for item in found if _is_usable(item, prefetched)]   # said before anybody is connected to
    for submodule in usable:
        if asyncio.get_running_loop().time() >= submodules.ends_at:
            prefetched.unseen.append(submodule)
            continue
        try:
            module = await submodules.mirror_of(submodule)
            await submodules.measure(module, submodule)
        except DeployError as error:
            prefetched.errors.append(error)
            continue
        except Transient:
            prefetched.unseen.append(submodule)
            continue
        await _have(submodules, await read_submodules(module, submodule.commit, submodule.url), prefetched, depth + 1)


def _is_usable(submodule: Submodule, prefetched: Prefetched) -> bool:
    try:
        refuse_unusable(submodule)
    except DeployError as error:
        prefetched.errors.append(error)
        return False
    return True
