"""The programs that deployd starts: git, and what packs and mounts slugs, by packing and mounting one."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from deployd.cli.doctor.finding import Finding, doubt, well, wrong
from deployd.cli.doctor.host import nearest
from deployd.ids import SlugKey
from deployd.process import run
from deployd.settings import Settings
from deployd.slugs.archive import SlugStore
from deployd.slugs.layers import why_no_layers
from deployd.slugs.mount import ensure_mounted, ensure_unmounted

OLDEST_GIT = (2, 30)
VERSION = re.compile(r"(\d+)\.(\d+)")
TRIAL_KEY = SlugKey("0" * 64)
TRIAL_TEXT = "a slug for a trial"
PACKAGES = {"mksquashfs": "squashfs-tools", "b2sum": "coreutils", "mount": "mount", "umount": "mount",
            "openssl": "openssl", "git": "git"}


async def look_at_git() -> Finding:
    """2.30 is the oldest that we have been tried with (Debian 11)."""
    if shutil.which("git") is None:
        return _missing("git")
    return judge_git((await run("git", "--version")).text)


def judge_git(text: str) -> Finding:
    """From what `git --version` says. Pure."""
    found = VERSION.search(text)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GIT:
        return wrong("git", f"{text}: too old", f"install git {'.'.join(map(str, OLDEST_GIT))} or newer")
    return well("git", text.removeprefix("git version "))


async def look_at_slugs(settings: Settings, user: int) -> Finding:
    """Pack a small slug, mount it, read it, take it away again."""
    needed = ["mksquashfs", "b2sum", "mount", "umount", *(["openssl"] if settings.router.https_port else [])]
    for program in needed:
        if shutil.which(program) is None:
            return _missing(program)
    if user != 0:
        return doubt("slugs", "packing and mounting was not tried: it needs root", "run the doctor as root")
    state = nearest(settings.state)
    with tempfile.TemporaryDirectory(prefix="deployd-doctor-", dir=state if state == settings.state else None) as name:
        return await _try_slug(Path(name))


async def _try_slug(folder: Path) -> Finding:
    """
    Raises:
        SlugNotMounted: The kernel has no loop devices or no squashfs.
    """
    workspace, mounted = folder / "workspace", folder / "mounted"
    workspace.mkdir()
    (workspace / "text").write_text(TRIAL_TEXT)
    slug = await SlugStore(folder / "slugs", min_free_bytes=0).pack(workspace, TRIAL_KEY, owner=0)
    try:
        await ensure_mounted(slug.path, mounted)
        read = (mounted / "text").read_text()
    finally:
        await ensure_unmounted(mounted)
    if read != TRIAL_TEXT:
        return wrong("slugs", "a mounted slug does not hold what was packed", "look at the disk and the kernel's log")
    if why := await why_no_layers(folder / "layers"):
        return doubt("slugs", f"builds take over nothing of earlier ones: overlayfs cannot be mounted ({why})",
                     "have `state` on a disk that is no overlay itself, and the kernel's overlay module")
    return well("slugs", "packed, mounted and read one")


def _missing(program: str) -> Finding:
    package = PACKAGES[program]
    return wrong("git" if program == "git" else "slugs", f"the program {program} is not installed",
                 f"apt-get install {package}")
