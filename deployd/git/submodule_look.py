"""Submodules looked at before a commit is taken: each is fetched into its mirror, where the build finds it later.

What can never be had is told to the pusher, all at once. What does not answer within a few seconds is left to the
build, which waits longer: a server that is slow is no reason to refuse somebody's push.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deployd.errors import DeployError, Transient
from deployd.git.gate import open_gate
from deployd.git.mirror import Mirror
from deployd.git.submodule_list import Submodule, links_of, read_submodules, refuse_unusable, submodules_of
from deployd.git.submodules import MOST_RECEIVED_BYTES, Submodules, modules_of
from deployd.ids import CommitId
from deployd.public_addresses import Opening

LOOK_SECONDS, SLOW_SECONDS = 20.0, 60.0


@dataclass
class Looked:
    """What was found."""

    errors: list[DeployError] = field(default_factory=list)
    """What will not go better later."""
    unseen: list[Submodule] = field(default_factory=list)
    """Those that did not answer in time."""

    def notes(self) -> list[str]:
        return [f"the submodule {item.shown} was not had in time; the build asks for it again" for item in self.unseen]


class SubmoduleLook:
    """Looks at the submodules of many commits; one push may have thousands of branches."""

    def __init__(self) -> None:
        self._slow_until: dict[Path, float] = {}
        """Repositories whose submodules have not answered in time: the next branches need not wait for them, too."""

    async def at(
        self, mirror: Mirror, commit: CommitId, listing: bytes, roots: Iterable[str], base: str | None,
        openings: tuple[Opening, ...], env: Mapping[str, str] | None, *, limit_seconds: float = LOOK_SECONDS,
    ) -> Looked:
        """Have the submodules that builds of a commit will need.

        Args:
            listing: Of the whole commit, or of its submodules alone.
            roots: Folders of the applications; what lies in none of them is not built.
            base: What relative addresses are relative to.
            env: Where the objects of a push lie until it is accepted.
        """
        looked, kept = Looked(), tuple(roots)
        if not links_of(listing):
            return looked
        found = tuple(
            item for item in await submodules_of(mirror, commit, "", listing, base, env)
            if any(not root or item.path == root or item.path.startswith(f"{root}/") for root in kept)
        )
        now = asyncio.get_running_loop().time()
        ends_at = now if now < self._slow_until.get(mirror.path, 0) else now + limit_seconds
        async with open_gate(openings, MOST_RECEIVED_BYTES) as gate:
            try:
                await _have(Submodules(modules_of(mirror), gate, ends_at), found, looked)
            except DeployError as error:   # there are too many of them
                looked.errors.append(error)
        if looked.unseen and ends_at > now:   # else nobody was waited for, and a push a minute would look at nothing
            self._slow_until[mirror.path] = asyncio.get_running_loop().time() + SLOW_SECONDS
        return looked


async def _have(submodules: Submodules, found: tuple[Submodule, ...], looked: Looked, depth: int = 0) -> None:
    submodules.add(found, depth)
    usable = [item for item in found if _is_usable(item, looked)]   # said before anybody is connected to
    for submodule in usable:
        if asyncio.get_running_loop().time() >= submodules.ends_at:
            looked.unseen.append(submodule)
            continue
        try:
            module = await submodules.mirror_of(submodule)
            await submodules.measure(module, submodule)
        except DeployError as error:
            looked.errors.append(error)
            continue
        except Transient:
            looked.unseen.append(submodule)
            continue
        await _have(submodules, await read_submodules(module, submodule.commit, submodule.url), looked, depth + 1)


def _is_usable(submodule: Submodule, looked: Looked) -> bool:
    try:
        refuse_unusable(submodule)
    except DeployError as error:
        looked.errors.append(error)
        return False
    return True
