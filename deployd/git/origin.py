"""Where that comes from which a commit only names: its submodules, and contents of files that Git LFS keeps."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.git.lfs import LfsServer
from deployd.public_addresses import Opening


@dataclass(frozen=True, slots=True)
class Origin:
    base: str | None = None
    """What relative addresses of submodules are relative to: the address of the repository's own remote."""
    openings: tuple[Opening, ...] = ()
    """Addresses that are not public and from which may be fetched nevertheless."""
    lfs: LfsServer | None = None
    """Who has the contents of files that are pointers of Git LFS; None: they stay pointers."""
