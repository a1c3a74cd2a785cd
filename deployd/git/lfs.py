"""Contents of Git LFS, asked of the server beside a project's own remote and put in the place of their pointers.

    POST <remote>/info/lfs/objects/batch    which says where each object is to be had, mostly at another host
    GET  what it said                       with what it said to send; counted, and hashed, before it is taken

The remote is the operator's word. Where its server sends us is not: all of it goes through a proxy of ours, over https.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import aiohttp

from deployd.errors import DeployError, Transient
from deployd.git.lfs_pointers import Content, Pointer, by_object
from deployd.git.mirror import without_user
from deployd.git.proxy import FetchProxy, open_fetch_proxy
from deployd.git.submodule_list import shown
from deployd.public_addresses import Opening
from deployd.units import megabytes

MOST_BYTES, MOST_FILES = 4 * 1024**3, 20_000
BATCH, AT_ONCE = 100, 4
LARGEST_ANSWER_BYTES = 4_000_000
ALL_SECONDS, AGAIN_SECONDS = 1200.0, 10.0
CHUNK_BYTES = 1 << 18
JSON = "application/vnd.git-lfs+json"
CERTIFICATES = "GIT_SSL_CAINFO"
"""As git knows certificates, so that one setting of the operator counts for both."""
NOT_SENT = ("host", "proxy-authorization", "connection", "content-length", "transfer-encoding")
NO_ADDRESS = "the server names an address that nobody can ask"
SHOWN = 5
ROOM_BYTES = 1024**3
"""That stay free."""
UNWELL = (aiohttp.ClientError, TimeoutError, OSError)


class LfsMissing(DeployError):
    """Contents of Git LFS cannot be had."""

    code: ClassVar[str] = "lfs-missing"


@dataclass(frozen=True, slots=True)
class LfsServer:
    """Where the contents of a project are."""

    url: str
    """Without a password."""
    host: tuple[str, int]
    login: str | None
    """Of the operator, as a header has it; sent to this address alone."""


def server_of(remote: str, token: str | None) -> LfsServer | None:
    """The server beside a remote; None of one that is not read over https, which nobody here can ask."""
    parts = urlsplit(remote)
    if parts.scheme != "https" or not parts.hostname:
        return None
    address = without_user(remote).rstrip("/")
    password = token or unquote(parts.password or "")
    user = unquote(parts.username or "") or "x-access-token"
    login = aiohttp.encode_basic_auth(user, password, "utf-8") if password else None
    url = address if address.endswith(".git") else f"{address}.git"
    return LfsServer(f"{url}/info/lfs", (parts.hostname, parts.port or 443), login)


async def fill(
    pointers: Sequence[Pointer], workspace: Path, server: LfsServer, openings: tuple[Opening, ...],
) -> None:
    """Put the contents of all pointers in their place.

    Raises:
        LfsMissing: Some of them cannot be had; nothing of the workspace may be used then.
        Transient: The server did not answer.
    """
    objects = by_object(pointers)
    sizes = sorted(items[0].size_bytes for items in objects.values())
    size_bytes = sum(items[0].size_bytes * len(items) for items in objects.values())   # one of them may stand often
    if size_bytes > MOST_BYTES or len(pointers) > MOST_FILES:
        raise LfsMissing(
            f"the files of Git LFS are more than {MOST_FILES:,}, or have more than {MOST_BYTES // 1024**3} GiB",
            where=shown(pointers[0].path), hint="keep them in a mount",
        )
    room = (await asyncio.to_thread(shutil.disk_usage, workspace)).free - ROOM_BYTES
    if size_bytes + sum(sizes[-AT_ONCE:]) > room:   # as it comes, each is there once more
        raise LfsMissing(
            f"the files of Git LFS have {megabytes(size_bytes):,.0f} MB, and there is no room for them",
            where=shown(pointers[0].path), hint="make room on the disk",
        )
    asking = _Asking(server, workspace)
    try:
        opened = open_fetch_proxy(openings, 2 * MOST_BYTES, trusted=server.host)
        async with asyncio.timeout(ALL_SECONDS), opened as asking.proxy:
            known = await asyncio.to_thread(ssl.create_default_context, cafile=os.environ.get(CERTIFICATES))
            connector, limits = aiohttp.TCPConnector(ssl=known), aiohttp.ClientTimeout(sock_read=60, sock_connect=30)
            async with aiohttp.ClientSession(connector=connector, timeout=limits) as session:
                for batch in _batches(objects):
                    await asking.have(session, batch)
    except UNWELL as error:
        asking.unwell.append(f"{type(error).__name__}: {error}"[:200])
    if asking.unwell and not asking.left:
        raise Transient(_missing(server, pointers, asking.unwell[-1:]), AGAIN_SECONDS)
    if asking.left:
        lost = [item for item in pointers if item.oid in asking.left]
        raise _missing(server, lost, [f"{shown(item.path)}: {asking.left[item.oid]}" for item in lost[:SHOWN]])


def _missing(server: LfsServer, lost: Sequence[Pointer], why: list[str]) -> LfsMissing:
    count = f"{len(lost):,} files" if len(lost) > 1 else "a file"
    return LfsMissing(
        f"cannot have {count} of Git LFS from {server.url}", where=shown(lost[0].path), evidence=tuple(why),
        hint="see whether the remote's token may read them; with `lfs: false` of the remote a build gets the pointers",
    )


def _batches(objects: Mapping[str, tuple[Pointer, ...]]) -> Iterator[dict[str, tuple[Pointer, ...]]]:
    items = list(objects.items())
    for at in range(0, len(items), BATCH):
        yield dict(items[at:at + BATCH])


class _Refused(Exception):
    """The server says no, in words."""


@dataclass
class _Asking:
    server: LfsServer
    workspace: Path
    proxy: FetchProxy | None = None
    left: dict[str, str] = field(default_factory=dict)
    """{oid: why it was not had}"""
    unwell: list[str] = field(default_factory=list)
    """What may go better later."""

    @property
    def _through(self) -> dict[str, Any]:
        assert self.proxy is not None
        proxy = f"http://127.0.0.1:{self.proxy.port}"
        known = {"Proxy-Authorization": aiohttp.encode_basic_auth("gate", self.proxy.secret)}
        return {"proxy": proxy, "proxy_headers": known}

    async def have(self, session: aiohttp.ClientSession, objects: Mapping[str, tuple[Pointer, ...]]) -> None:
        try:
            places = await self._ask(session, objects)
        except _Refused as refused:
            self.left |= dict.fromkeys(objects, str(refused))
            return
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(oid: str, pointers: tuple[Pointer, ...]) -> None:
            async with turns:
                await self._have_one(session, places.get(oid), pointers)

        async with asyncio.TaskGroup() as group:
            for oid, pointers in objects.items():
                group.create_task(one(oid, pointers), name=f"lfs {oid[:8]}")

    async def _ask(
        self, session: aiohttp.ClientSession, objects: Mapping[str, tuple[Pointer, ...]],
    ) -> dict[str, Any]:
        """{oid: what the server says of it}"""
        asked = {
            "operation": "download", "transfers": ["basic"], "hash_algo": "sha256",
            "objects": [{"oid": oid, "size": pointers[0].size_bytes} for oid, pointers in objects.items()],
        }
        login = self.server.login
        async with session.post(
            f"{self.server.url}/objects/batch", data=json.dumps(asked), allow_redirects=False,
            headers={"Accept": JSON, "Content-Type": JSON, **({"Authorization": login} if login else {})},
            **self._through,
        ) as answer:
            said = bytearray()   # which may come a byte at a time
            while len(said) < LARGEST_ANSWER_BYTES and (more := await answer.content.read(LARGEST_ANSWER_BYTES)):
                said += more
            _refuse(answer.status)
        try:
            found = json.loads(said)["objects"]
            return {item["oid"]: item for item in found}
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _Refused("the server answered something else than Git LFS does") from None

    async def _have_one(self, session: aiohttp.ClientSession, said: Any, pointers: tuple[Pointer, ...]) -> None:
        content = Content(self.workspace, pointers)
        try:
            url, headers = _place_of(said)
            await asyncio.to_thread(content.begin)
            async with session.get(url, headers=headers, max_redirects=5, **self._through) as answer:
                _refuse(answer.status)
                async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                    if not await asyncio.to_thread(content.take, chunk):
                        break
            if not content.is_right():
                raise _Refused("what came is another content")
            await asyncio.to_thread(content.put)
        except _Refused as refused:
            self.left[pointers[0].oid] = str(refused)
        except aiohttp.InvalidURL:
            self.left[pointers[0].oid] = NO_ADDRESS
        except UNWELL as error:
            refused_hosts = self.proxy.refused if self.proxy else []
            if refused_hosts:
                self.left[pointers[0].oid] = f"{refused_hosts[-1]} is not a public address"
            else:
                self.unwell.append(f"{type(error).__name__}: {error}"[:200])
        except ValueError:   # a password in it and a header with another one; a host that TLS does not take
            self.left[pointers[0].oid] = NO_ADDRESS
        finally:
            await asyncio.to_thread(content.end)


def _refuse(status: int) -> None:
    if status == 429 or (status >= 500 and status != 501):
        raise aiohttp.ClientError(f"the server answered {status}")
    if status != 200:
        raise _Refused(f"the server answered {status}")


def _place_of(said: Any) -> tuple[str, dict[str, str]]:
    """(address, headers) of an object, from what the batch says of it."""
    try:
        if "error" in said:
            raise _Refused(f"the server says {int(said['error']['code'])}")
        action = said["actions"]["download"]
        url, headers = str(action["href"]), dict(action.get("header") or {})
    except (KeyError, TypeError, ValueError, OverflowError):   # Infinity is a number of Python's JSON
        raise _Refused("the server does not say where it is") from None
    if not url.startswith("https://"):
        raise _Refused("the server names an address that is not https")
    kept = {str(name): str(value) for name, value in headers.items() if str(name).lower() not in NOT_SENT}
    if any(not text.isprintable() for pair in kept.items() for text in pair):
        raise _Refused("the server wants a header that is none")
    return url, kept
