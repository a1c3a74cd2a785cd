"""Filling a mirror from a remote: with a password that nobody sees, and a limit.

Surprise: two fetches of one mirror at the same time hinder each other ("cannot lock ref"), so `Fetches` lets one after
the other through, and whoever waited for one that began after it asked has what it wants: the code, or the same error.
So ten branches of a remote that hangs wait for two fetches, and not for ten.
"""

from __future__ import annotations

import asyncio
import base64
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from deployd.errors import DeployError, Transient
from deployd.git.mirror import Mirror, without_user
from deployd.git.program import git
from deployd.git.proxy import FetchProxy, open_fetch_proxy
from deployd.ids import CommitId
from deployd.process import ProgramFailed, ProgramOverran

FETCH_SECONDS = 540
"""A first fetch of a large repository takes minutes; one that stands still is ended long before that."""
FETCH_AGAIN_SECONDS = 10.0
BRANCHES_AND_TAGS = (
    "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*",
    # names that are taken for something else (`environment/branches.py`): they need not even be here
    "^refs/heads/HEAD", "^refs/heads/refs/*", "^refs/tags/HEAD", "^refs/tags/refs/*",
)
FETCHING = {
    "GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60",   # a server that packs for long still says so
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15 -oServerAliveInterval=15",
}
NO_PROXIES = {"https_proxy": "", "http_proxy": "", "no_proxy": ""}
"""Our proxy knows them; beside it they would lead past it."""
STRANGERS = {
    **NO_PROXIES,
    "GIT_ALLOW_PROTOCOL": "https",
    "HOME": "/nonexistent",   # a .netrc there has passwords, which curl would send
}
STRANGERS_OBJECTS = {
    "fetch.fsckObjects": "true",                   # and as in pushes, old histories have these
    **{f"fetch.fsck.{name}": "ignore" for name in ("missingSpaceBeforeDate", "zeroPaddedFilemode", "badTimezone")},
}
NOT_WORTH_ANOTHER_TRY = re.compile("|".join((
    "Authentication failed", "could not read Username", "could not read Password", "Permission denied",
    r"returned error: 4(?!08|29)\d\d", "not found", "does not appear to be a git repository", "not a git repository",
    "Host key verification failed", "SSL certificate problem", "certificate verification failed", "not our ref",
    "couldn't find remote ref", "is not a git command", "protocol .* is not supported", "Unsupported protocol",
    "No space left on device", "CONNECT tunnel failed, response 40", "HTTP code 40. from proxy", "fsck error",
)))
"""Words of git and ssh (in English: `program.py` sees to that)."""


class FetchFailed(DeployError):
    """The remote repository could not be fetched."""

    code: ClassVar[str] = "fetch-failed"


class Fetches:
    """Fetches of many mirrors, one at a time for each."""

    def __init__(self) -> None:
        self._locks: dict[Path, asyncio.Lock] = {}
        self._last: dict[Path, tuple[float, Exception | None]] = {}
        """When the last one began, and how it failed."""

    async def fetch(self, mirror: Mirror, url: str, token: str | None) -> None:
        """Have everything that the remote has at this moment; raises what `fetch` raises."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        # A lock held across a call to the world, which a lane would make needless; but here lanes share a repository.
        async with self._locks.setdefault(mirror.path, asyncio.Lock()):
            began, failed = self._last.get(mirror.path, (-1.0, None))
            if began < asked:
                began, failed = loop.time(), None
                try:
                    await fetch(mirror, url, token=token)
                except (DeployError, Transient) as error:
                    failed = error
                self._last[mirror.path] = began, failed
            if failed is not None:
                raise failed


async def fetch(
    mirror: Mirror, url: str, *, token: str | None = None, wanted: CommitId | None = None,
    proxy: FetchProxy | None = None, limit_seconds: float = FETCH_SECONDS,
) -> None:
    """Fetch all branches and tags of a remote; branches that are gone there go here too.

    Two at the same time hinder each other: see `Fetches`.

    Args:
        token: Password for HTTP; it travels in the environment, never in an argument or a log.
        wanted: Fetch this commit instead, and no branch.
        proxy: The address is a stranger's: only https, only through it, with nothing of ours but what it brings.

    Raises:
        Transient: The remote could not be reached or did not answer; worth another try.
        FetchFailed: It does not know us, or has no such repository; another try would end the same.
    """
    address, secret = _split_secret(url, token)
    if proxy is not None:
        await _fetch(mirror, address, wanted, {**_with_settings(secret, proxy), **STRANGERS}, proxy, limit_seconds)
    elif (trusted := _https_host(address)) is None or os.environ.get("https_proxy"):   # a proxy has rules of its own
        await _fetch(mirror, address, wanted, secret, None, limit_seconds)
    else:
        # The address is the operator's word; where its server redirects to is not.
        async with open_fetch_proxy((), math.inf, trusted=trusted) as own:
            await _fetch(mirror, address, wanted, {**_with_settings(secret, own), **NO_PROXIES}, own, limit_seconds)


async def _fetch(
    mirror: Mirror, address: str, wanted: CommitId | None, env: Mapping[str, str], proxy: FetchProxy | None,
    limit_seconds: float,
) -> None:
    refs = [wanted] if wanted else BRANCHES_AND_TAGS
    try:
        await git(
            mirror.path, "fetch", "--quiet", *(() if wanted else ("--prune", "--force")), "--no-tags",
            "--no-write-fetch-head", "--no-auto-maintenance", "--end-of-options", address, *refs,
            env={**FETCHING, **env}, limit_seconds=limit_seconds,
        )
    except ProgramFailed as error:
        refused = tuple(f"{host} is not a public address" for host in proxy.refused) if proxy else ()
        failed = FetchFailed(
            f"cannot fetch {without_user(address)}",
            evidence=(*error.output.last_lines(5), *refused, *(proxy.failed[-1:] if proxy else ())),
            hint="see whether the address and the token of the project's remote are right",
        )
        if not is_worth_another_try(error.output.stderr.decode(errors="replace")):
            raise failed from None
        raise Transient(failed, FETCH_AGAIN_SECONDS) from None
    except ProgramOverran:
        raise Transient(FetchFailed(
            f"{without_user(address)} did not answer within {limit_seconds:g} s", hint="see whether the remote is up",
        ), FETCH_AGAIN_SECONDS) from None


def is_worth_another_try(said: str) -> bool:
    """Whether a fetch that ended with these words may go well later: the network, or the remote, was not well."""
    return NOT_WORTH_ANOTHER_TRY.search(said) is None


def _with_settings(secret: Mapping[str, str], proxy: FetchProxy) -> dict[str, str]:
    """The environment in which git goes through a proxy of ours, and looks at what it gets."""
    number = int(secret.get("GIT_CONFIG_COUNT", "0"))
    settings = {**proxy.configuration(), **({} if proxy.trusted else STRANGERS_OBJECTS)}
    return {
        **secret, "GIT_CONFIG_COUNT": str(number + len(settings)),
        **{f"GIT_CONFIG_KEY_{at}": name for at, name in enumerate(settings, start=number)},
        **{f"GIT_CONFIG_VALUE_{at}": value for at, value in enumerate(settings.values(), start=number)},
    }


def _https_host(address: str) -> tuple[str, int] | None:
    """(host, port) of an https address; None of others, and of what git itself will have to refuse."""
    try:
        parts = urlsplit(address)
        return (parts.hostname, parts.port or 443) if parts.scheme == "https" and parts.hostname else None
    except ValueError:
        return None


def _split_secret(url: str, token: str | None) -> tuple[str, dict[str, str]]:
    """(the address without a password, the password as configuration of git in the environment)"""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return url, {}
    address = without_user(url)
    password = token or unquote(parts.password or "")
    if not password:
        return address, {}
    user = unquote(parts.username or "") or "x-access-token"
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    return address, {
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"http.{address}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }


class PushRefused(DeployError):
    """The remote does not take a commit."""

    code: ClassVar[str] = "push-refused"


async def push(
    mirror: Mirror, url: str, token: str | None, branch: str, new: CommitId, old: CommitId,
) -> None:
    """Have a branch of the remote at a commit, if it is still where it was. At it already is fine.

    Raises:
        PushRefused: It is not there any more, or the remote takes nothing from us.
    """
    address, secret = _split_secret(url, token)
    if (trusted := _https_host(address)) is None or os.environ.get("https_proxy"):
        await _push(mirror, address, branch, new, old, secret)
        return
    async with open_fetch_proxy((), math.inf, trusted=trusted) as own:
        await _push(mirror, address, branch, new, old, {**_with_settings(secret, own), **NO_PROXIES})


async def _push(
    mirror: Mirror, address: str, branch: str, new: CommitId, old: CommitId, env: Mapping[str, str],
) -> None:
    ref = f"refs/heads/{branch}"
    try:
        await git(
            mirror.path, "push", "--quiet", "--no-verify", f"--force-with-lease={ref}:{old}", "--end-of-options",
            address, f"{new}:{ref}", env={**FETCHING, **env}, limit_seconds=FETCH_SECONDS,
        )
    except (ProgramFailed, ProgramOverran) as error:
        said = tuple(error.output.last_lines(5)) if isinstance(error, ProgramFailed) else ()
        raise PushRefused(
            f"{without_user(address)} does not take {new[:8]} for {branch}", evidence=said,
            hint="somebody pushed meanwhile, or the token of the project's remote may not write there",
        ) from None
