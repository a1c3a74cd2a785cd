"""Programs with which files are brought into containers: `sftp-server` and `rsync` of the host's own packages.

    <state>/programs/        copies of them, with the libraries that they need and the loader of those
    <scripts>/programs/      the same files once more (hard links), where the container of an instance sees them

So nothing is asked of an image: official ones have none of these programs, and other libraries or another libc. Nor has
an image, a slug or a container to be made anew: the folder of scripts is bound into every container already, into those
of earlier versions too. When the host's packages are upgraded, the next session has the new ones.

The files are root's, like every name in that folder, and containers run as somebody else: nobody can write into a file
that others have too, and we put new ones in its place instead of writing into it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from deployd.confined.beneath import NotBeneath, is_roots, open_folder
from deployd.errors import DeployError
from deployd.inside.command_lines import PROGRAMS_FOLDER
from deployd.process import run

SOURCES = {"sftp-server": Path("/usr/lib/openssh/sftp-server"), "rsync": Path("/usr/bin/rsync")}
PACKAGES = {"sftp-server": "openssh-sftp-server", "rsync": "rsync"}
LIBRARY = re.compile(r"^\s*(?:(\S+) => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
"""A line of ldd: `libz.so.1 => /lib/libz.so.1 (0x…)`, or the loader: `/lib64/ld-linux-x86-64.so.2 (0x…)`."""
WRAPPER = f"""#!/bin/sh
exec {PROGRAMS_FOLDER}/ld --library-path {PROGRAMS_FOLDER}/lib {PROGRAMS_FOLDER}/{{name}} "$@"
"""
STAMP = "made-of"


class ProgramsMissing(DeployError):
    """The host lacks a program with which files are brought into containers."""

    code: ClassVar[str] = "programs-missing"


class Programs:
    def __init__(self, state: Path, sources: dict[str, Path] | None = None) -> None:
        """
        Args:
            state: The daemon's folder; programs are kept below it.
        """
        self._folder = state / "programs"
        self._sources = SOURCES if sources is None else sources
        self._copying = asyncio.Lock()

    async def lay_out(self, scripts: Path, needed: str) -> None:
        """Have the programs in an instance's folder of scripts. Mostly they are there.

        Args:
            needed: The one that somebody is about to run.

        Raises:
            ProgramsMissing: The host does not have it.
        """
        if not self._sources[needed].exists():
            raise ProgramsMissing(
                f"this host has no {needed}, and files go into containers with it",
                hint=f"the operator installs it: apt-get install {PACKAGES[needed]}",
            )
        async with self._copying:
            wanted = await asyncio.to_thread(_stamp, self._sources)
            if await asyncio.to_thread(_read, self._folder / STAMP) != wanted:
                await self._copy(wanted)
        await asyncio.to_thread(_link, self._folder, scripts)

    async def _copy(self, stamp: str) -> None:
        """From the host's own places. Whoever runs the one before goes on with it."""
        files: dict[str, Path] = {}
        for name, source in self._sources.items():
            if not source.exists():
                continue
            files[name] = source
            said = (await run("ldd", str(source))).text
            for soname, path in LIBRARY.findall(said):
                files[f"lib/{Path(soname).name}" if soname else "ld"] = Path(path)
        await asyncio.to_thread(_copy_all, self._folder, files, stamp)


def _stamp(sources: dict[str, Path]) -> str:
    """What the host's programs are known by: an upgrade of one changes it."""
    found = []
    for name, source in sources.items():
        with suppress(OSError):
            seen = source.stat()
            found.append(f"{name} {seen.st_size} {seen.st_mtime_ns}")
    return "\n".join(found)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _copy_all(folder: Path, files: dict[str, Path], stamp: str) -> None:
    for below in ("", "lib", "bin"):
        (folder / below).mkdir(mode=0o755, parents=True, exist_ok=True)
        (folder / below).chmod(0o755)
    for name, source in files.items():
        beside = folder / f"{name}.new"
        shutil.copyfile(source, beside)
        beside.chmod(0o755)
        beside.replace(folder / name)
    for name in SOURCES:
        if name in files:
            _write(folder / "bin" / name, WRAPPER.format(name=name))
    _write(folder / STAMP, stamp)


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text)
    beside.chmod(0o755)
    beside.replace(path)


def _link(source: Path, scripts: Path) -> None:
    """Give every file a second name, in a folder of root's in one of root's.

    Raises:
        ProgramsMissing: Somebody else's folder, or another thing, is there.
    """
    try:
        with open_folder(scripts) as held:
            own = is_roots(held)
            if own:
                with suppress(FileExistsError):
                    os.mkdir("programs", 0o755, dir_fd=held)
                with open_folder(scripts, "programs") as inside:
                    own = is_roots(inside)
    except (NotBeneath, FileNotFoundError):
        own = False
    if not own:
        raise ProgramsMissing(
            "the folder in which this container would see the programs is not as deployd makes it",
            hint="deploy the environment once more: `deployd redeploy`",
        )
    _link_all(source, scripts / "programs")


def _link_all(source: Path, target: Path) -> None:
    if _read(target / STAMP) == _read(source / STAMP):
        return
    for below in ("", "lib", "bin"):
        (target / below).mkdir(mode=0o755, exist_ok=True)
        (target / below).chmod(0o755)
    names = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file()]
    for name in sorted(names, key=lambda name: name.name == STAMP):   # that one says that all others are there
        if name.suffix == ".new":
            continue
        beside = target / f"{name}.new"
        beside.unlink(missing_ok=True)
        try:
            os.link(source / name, beside)
        except OSError:      # another file system, or too many names
            shutil.copyfile(source / name, beside)
            beside.chmod(0o755)
        beside.replace(target / name)
