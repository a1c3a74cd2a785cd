"""Pack and mount a tree of 30,000 files, against `docker build` with a COPY of the same tree.

Both start from the tree in the page cache and end when a file of it can be read: ours after the file is synced,
renamed, verified and mounted; Docker's after the image is there (a container would still have to be made).
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deployd.ids import SlugKey
from deployd.process import run
from deployd.slugs.archive import SlugStore
from deployd.slugs.storage import Slugs
from tests.bench.tree import make_tree
from tests.support.outcome import Outcome, median

ROUNDS = 3
BASE = "deployd/base:trixie"
TAG = "deployd-bench-slug:copy"
FASTER = 10.0


async def measure(say: Callable[[str], None]) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="deployd-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        size = await asyncio.to_thread(make_tree, folder / "tree")
        say(f"{size / 1e6:.0f} MB in 30,000 files")
        rounds = [await _ours(folder, number) for number in range(ROUNDS)]
        pack, mount, packed = (median([found[part] for found in rounds]) for part in range(3))
        say(f"deployd: {pack + mount:.2f} s")
        copy = await _docker_build(folder / "tree")
        say(f"docker build: {copy:.1f} s")
    ratio = round(copy / (pack + mount), 2)
    return Outcome(
        "slug",
        {"total_seconds": round(pack + mount, 3), "pack_seconds": pack, "mount_seconds": mount,
         "slug_mb": round(packed / 1e6, 1), "tree_mb": round(size / 1e6, 1)},
        {"total_seconds": round(copy, 3)},
        ratio, f"at least {FASTER:.0f} times as fast as docker build", ratio >= FASTER,
        (f"median of {ROUNDS}; mounting includes reading the whole slug to verify it",),
    )


async def _ours(folder: Path, number: int) -> tuple[float, float, float]:
    slugs = Slugs(SlugStore(folder / "slugs"), folder / "mounts")
    key = SlugKey(f"{number:064x}")
    began = time.perf_counter()
    slug = await slugs.pack(folder / "tree", key, (), owner=2_000_000)
    packed = time.perf_counter()
    try:
        mounted = await slugs.ensure_mounted(key)
        (mounted / "vendor/m0/d0/File0.php").read_bytes()
        done = time.perf_counter()
    finally:
        await slugs.remove(key)
    return packed - began, done - packed, slug.size_bytes


async def _docker_build(tree: Path) -> float:
    (tree / "Dockerfile").write_text(f"FROM {BASE}\nCOPY . /app\n")
    began = time.perf_counter()
    try:
        await run("docker", "build", "--quiet", "--no-cache", "--tag", TAG, str(tree), limit_seconds=600)
        return time.perf_counter() - began
    finally:
        await run("docker", "image", "rm", "--force", TAG, check=False)
