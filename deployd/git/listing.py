"""All files of a commit, as git lists them, and no more than may be: a few objects of git can name billions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from deployd.git.mirror import Mirror
from deployd.git.program import git_argv, git_environment
from deployd.ids import CommitId
from deployd.process import Output, ProgramFailed, open_process

LIST_SECONDS = 60.0
CHUNK_BYTES = 262_144
LARGEST_LISTING_BYTES = 96_000_000
SUBMODULE = b"160000 "


class ListingTooLong(Exception):
    """There are more entries than were asked for."""


async def list_tree(
    mirror: Mirror, commit: CommitId, root: str = "", *, most_entries: int, env: Mapping[str, str] | None = None,
) -> bytes:
    """What `git ls-tree -r -t -l -z` says: every file and folder below a root, with mode, id and size.

    Raises:
        ListingTooLong: There are more; git was ended.
        ProgramFailed: There is no such commit or folder.
    """
    listing, entries = bytearray(), 0
    argv = git_argv(mirror.path, "ls-tree", "-r", "-t", "-l", "-z", f"{commit}:{root}" if root else commit)
    async with open_process(*argv, env=git_environment(env), with_stdin=False) as process:
        try:
            async with asyncio.timeout(LIST_SECONDS):
                while chunk := await process.stdout.read(CHUNK_BYTES):
                    listing += chunk
                    entries += chunk.count(b"\0")
                    if entries > most_entries or len(listing) > LARGEST_LISTING_BYTES:
                        raise ListingTooLong
                status, said = await process.wait(), await process.stderr.read()
        except TimeoutError:
            raise ListingTooLong from None
    if status != 0:
        raise ProgramFailed(argv, Output(status, b"", said))
    return bytes(listing)


def size_of(listing: bytes) -> int:
    """Bytes of all files of a listing."""
    sizes = (entry.partition(b"\t")[0].split()[3] for entry in listing.split(b"\0") if entry)
    return sum(int(size) for size in sizes if size.isdigit())
