"""The key to the secrets at the start of the daemon: found, or made when there is nothing yet that it could open."""

from __future__ import annotations

import asyncio

import structlog

from deployd.settings import Settings
from deployd.state import secrets
from deployd.state.key_file import KeyMissing, key_place, make_key, read_keys
from deployd.state.sealing import Sealer
from deployd.state.store import StateUnwritable, Store

log = structlog.get_logger()


async def open_sealer(store: Store, settings: Settings) -> Sealer:
    """Have a sealer that opens every secret of the database, and every secret sealed with its first key.

    What stood there in plain text, from a deployd before, is sealed in one transaction; then the file is written anew,
    so that nothing of it is left in free pages. A start that was cut off does the rest.

    Raises:
        KeyMissing: There are sealed secrets, and no key.
        KeyWrong: It is not the key that they were sealed with.
        KeyUnusable: The key file cannot be read or made.
    """
    place = key_place(settings.key_path)
    keys = await asyncio.to_thread(read_keys, place)
    if not keys:
        if await store.read(secrets.are_any_sealed):
            raise KeyMissing(
                "the database has sealed secrets, and their key is not there", where=str(place),
                hint="put the key file (or the copy of it that you keep) in its place again; without it the passwords"
                     " of all services are lost",
            )
        keys = await asyncio.to_thread(make_key, place)
        log.info("key_made", place=str(place), keep="a copy of it, and not beside the database")
    sealer = Sealer(keys)
    sealed = await store.write(lambda db: secrets.seal_all(db, sealer))
    if sealed:
        log.info("secrets_sealed", count=sealed)
    if not await store.read(secrets.is_scrubbed):
        await _scrub(store)
    return sealer


async def _scrub(store: Store) -> None:
    try:
        await store.write_anew()
    except StateUnwritable as error:   # a full disk: the next start tries again, and until then the daemon is needed
        log.error("database_not_scrubbed", what=error.what,
                  why="secrets of the time before they were sealed may be in its free pages")
        return
    await store.write(secrets.mark_scrubbed)
