"""Images of the catalogue, made or pulled when they are not there: `python -m deployd.engine.docker.images [name…]`.

An image is made through the Engine's own builder, from packages of Debian and of languages' registries. A Debian base
comes from mmdebstrap and is unpacked into an empty image, so that no registry of images is needed.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import IO, Any

import aiodocker
import aiohttp

from deployd.catalogue import Catalogue, Entry, load_catalogue
from deployd.engine.docker.edge import UNREACHABLE, translated
from deployd.engine.docker.image_recipes import (
    RECIPE_LABEL,
    build_context,
    mmdebstrap_command,
    recipe_digest,
    write_base_context,
)
from deployd.engine.errors import ImageNotFetched, ImageNotMade
from deployd.errors import DeployError
from deployd.process import ProgramFailed, run
from deployd.settings import config_folder

BUILD_LIMIT_SECONDS = 1800
BASE_LIMIT_SECONDS = 900
NOT_FOUND = 404
LAST_LINES = 20


NETWORK = re.compile("|".join((
    "Temporary failure (in name resolution|resolving)", "Could not resolve", "no such host", "server misbehaving",
    "[Cc]onnection (timed out|refused|reset)", "[Nn]etwork is unreachable", "i/o timeout", "TLS handshake timeout",
    "Client.Timeout exceeded", "unexpected EOF", "toomanyrequests", r"received unexpected HTTP status: 5\d\d",
    "50[0234] +(Internal|Bad|Service|Gateway)", "Hash Sum mismatch",
)))
"""Words of Docker, apt and registries when it is the network's or the other side's fault."""


class Images:
    """The catalogue's images on one Engine."""

    def __init__(
        self, docker: aiodocker.Docker, catalogue: Catalogue, on_line: Callable[[str], None] = lambda _: None,
    ) -> None:
        """
        Args:
            on_line: Gets what the builds write. Who pushes is told that an image is made; how is the operator's matter.
        """
        self._docker = docker
        self._catalogue = catalogue
        self._on_line = on_line
        # Two deployments that miss the same image must not make it twice; nothing else waits here.
        self._making = asyncio.Lock()

    async def ensure(self, entry: Entry, tell: Callable[[str], None]) -> str:
        wanted = await asyncio.to_thread(recipe_digest, self._catalogue, entry)
        there = await self._look(entry.image, wanted)
        if there is not None:
            return there
        async with self._making:
            return await self._make(entry, wanted, tell)

    async def _make(self, entry: Entry, wanted: str | None, tell: Callable[[str], None]) -> str:
        there = await self._look(entry.image, wanted)      # another deployment may have made it while we waited
        if there is not None:
            return there
        for name in entry.build.below.values() if entry.build else ():
            base = self._catalogue.bases[name]
            await self._make(base, await asyncio.to_thread(recipe_digest, self._catalogue, base), tell)
        began = asyncio.get_running_loop().time()
        tell(f"{entry.image}: {'making' if wanted else 'pulling'}")
        try:
            async with asyncio.timeout(BUILD_LIMIT_SECONDS):
                if entry.suite:
                    await self._make_base(entry, str(wanted), self._on_line)
                elif entry.build:
                    await self._build(entry, str(wanted), self._on_line)
                else:
                    await self._pull(entry, self._on_line)
        except aiodocker.DockerError as error:
            raise not_made(entry.image, error.message, unreachable=error.status == UNREACHABLE) from None
        except aiohttp.ClientError as error:
            raise not_made(entry.image, str(error), unreachable=True) from None
        except ProgramFailed as error:
            raise not_made(entry.image, error.what, error.evidence) from None
        except TimeoutError:
            raise ImageNotMade(f"the image {entry.image} was not ready after {BUILD_LIMIT_SECONDS} s") from None
        made = await self._look(entry.image, wanted)
        if made is None:
            raise ImageNotMade(f"the image {entry.image} was made and is not there")
        tell(f"{entry.image}: there after {asyncio.get_running_loop().time() - began:.0f} s")
        return made

    async def _look(self, image: str, wanted: str | None) -> str | None:
        try:
            found = await self._docker.images.inspect(image)
        except aiodocker.DockerError as error:
            if error.status == NOT_FOUND:
                return None
            raise translated(f"look for the image {image}", error.status, error.message) from None
        labels = found["Config"].get("Labels") or {}
        return str(found["Id"]) if wanted is None or labels.get(RECIPE_LABEL) == wanted else None

    async def _make_base(self, entry: Entry, digest: str, tell: Callable[[str], None]) -> None:
        # In TMPDIR or /var/tmp: a base is 100 MB, and /tmp is memory on many hosts.
        folder = None if tempfile.gettempdir() != "/tmp" else "/var/tmp"
        with tempfile.TemporaryDirectory(prefix="deployd-base-", dir=folder) as name:
            base, context = Path(name) / "base.tar", Path(name) / "context.tar"
            await run(*mmdebstrap_command(entry, base), limit_seconds=BASE_LIMIT_SECONDS,
                      on_line=lambda _, line: tell(line))
            await asyncio.to_thread(write_base_context, base, context)
            file = await asyncio.to_thread(context.open, "rb")
            with file:
                await self._run_build(entry, file, "identity", {}, digest, tell)

    async def _build(self, entry: Entry, digest: str, tell: Callable[[str], None]) -> None:
        assert entry.build is not None
        below = {name: self._catalogue.bases[on].image for name, on in entry.build.below.items()}
        arguments = {**below, **entry.build.arguments}
        with tempfile.SpooledTemporaryFile(max_size=16_000_000) as file:
            file.write(await asyncio.to_thread(build_context, entry.build))
            file.seek(0)
            await self._run_build(entry, file, "gzip", arguments, digest, tell)

    async def _run_build(
        self, entry: Entry, context: IO[bytes], encoding: str, arguments: dict[str, str], digest: str,
        tell: Callable[[str], None],
    ) -> None:
        answers = self._docker.images.build(
            fileobj=context, encoding=encoding, tag=entry.image, buildargs=arguments, labels={RECIPE_LABEL: digest},
            forcerm=True, stream=True,
        )
        await _follow(entry, answers, tell)

    async def _pull(self, entry: Entry, tell: Callable[[str], None]) -> None:
        await _follow(entry, self._docker.images.pull(entry.image, stream=True), tell)


async def ensure_images(
    docker: aiodocker.Docker, catalogue: Catalogue, which: Sequence[str] | None = None,
    tell: Callable[[str], None] = print,
) -> dict[str, str]:
    """Have the named images, one after the other; nothing named means all.

    Args:
        which: Names as `Catalogue.entries` gives them: `php:8.4`, `web`, `trixie`.

    Returns:
        {name: image id}

    Raises:
        ImageNotMade: One could not be made, or the catalogue has none of this name.
    """
    entries = dict(catalogue.entries())
    for name in which or ():
        if name not in entries:
            raise ImageNotMade(f"the catalogue has no image {name}", hint=f"name one of: {', '.join(entries)}")
    images = Images(docker, catalogue, tell)
    return {name: await images.ensure(entries[name], tell) for name in which or entries}


async def _follow(entry: Entry, answers: AsyncIterator[dict[str, Any]], tell: Callable[[str], None]) -> None:
    last: list[str] = []
    try:
        async for answer in answers:
            for line in str(answer.get("stream") or "").splitlines():
                if line.strip():
                    last = [*last[1 - LAST_LINES:], line]
                    tell(line)
            if "error" in answer:       # of a pull; a failed build raises
                raise not_made(entry.image, str(answer["error"]), tuple(last))
    except aiodocker.DockerError as error:
        raise not_made(entry.image, error.message, tuple(last), unreachable=error.status == UNREACHABLE) from None


def not_made(image: str, said: str, last: tuple[str, ...] = (), *, unreachable: bool = False) -> ImageNotMade:
    """The error for what Docker or a program said; it knows whether another try is worth while. Pure.

    Args:
        last: Last lines of output.
        unreachable: The connection to Docker broke off.
    """
    is_network = unreachable or NETWORK.search("\n".join((said, *last)))
    what = f"cannot make the image {image}: {said}"
    if is_network:
        return ImageNotFetched(what, evidence=last, hint="see whether this host reaches the server that is named, and "
                               "push again; or name another image in the catalogue")
    return ImageNotMade(what, evidence=last, hint="the lines above say why; what the image is made of stands in the "
                        "catalogue and the Dockerfile that it names")


async def main(names: Sequence[str]) -> int:
    """Make the named images, or all; the exit status."""
    async with aiodocker.Docker() as docker:
        try:
            await ensure_images(docker, load_catalogue(config_folder() / "catalogue.yaml"), names)
        except DeployError as error:
            print(*error.lines(), sep="\n", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
