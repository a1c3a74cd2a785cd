"""The deployd of the version before, from the history of this repository, as an operator had it who upgrades now."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

import yaml

from deployd.process import run
from scripts.local_daemon import ROOT, Program

BEFORE = "d86ba69de993f36981e243912c07c19f526e4683"
"""The last commit before the rooms were laid out anew. With each release this becomes the release before it."""
NO_HISTORY = f"""\
the history of this repository has no commit {BEFORE}, so there is no version before to upgrade from:
clone the whole repository, or complete this clone with `git fetch --unshallow`"""


PARTS = ("bases", "runtimes", "services", "web", "router")
"""Of its catalogue."""
KNOWN = {"image", "build", "suite", "packages", "extensions"}
"""Keys of an entry of its catalogue."""
KNOWN_OF_BUILD = {"folder", "on", "arguments"}


def _as_before(catalogue: dict[str, Any]) -> dict[str, Any]:
    """What of our catalogue it can read: entries with keys of later days are not there, nor what stands on them."""
    catalogue = {part: catalogue[part] for part in PARTS}
    lost: set[str] = set()

    def is_known(entry: dict[str, Any]) -> bool:
        build = entry.get("build") or {}
        return entry.keys() <= KNOWN and build.keys() <= KNOWN_OF_BUILD and build.get("on") not in lost

    for name, entry in catalogue["bases"].items():   # what others stand on comes before these
        if not is_known(entry):
            lost.add(name)

    def kept(entries: dict[str, Any]) -> dict[str, Any]:
        return {version: entry for version, entry in entries.items() if is_known(entry)}

    catalogue["bases"] = {name: entry for name, entry in catalogue["bases"].items() if name not in lost}
    for part in ("runtimes", "services"):
        found = {name: kept(entries) for name, entries in catalogue[part].items()}
        catalogue[part] = {name: entries for name, entries in found.items() if entries}
    return catalogue


async def version_before(folder: Path) -> Program:
    """Lay out that version in a folder, with the images of this one, and with a Python of its own that has our
    dependencies, and not our code."""
    found = await run("git", "cat-file", "-e", f"{BEFORE}^{{commit}}", cwd=ROOT, check=False)
    assert found.status == 0, NO_HISTORY
    code, environment, archive = folder / "deployd-before", folder / "venv", folder / "before.tar"
    code.mkdir(parents=True)
    await run("git", "archive", f"--output={archive}", BEFORE, "deployd", "config", cwd=ROOT)
    await run("tar", "--extract", f"--file={archive}", f"--directory={code}")
    # Images are made anew when their recipes change, which everybody's daemons on this Engine would notice.
    await run("rm", "-r", str(code / "config" / "images"))
    await run("cp", "-r", str(ROOT / "config" / "images"), str(code / "config" / "images"))
    catalogue = yaml.safe_load((ROOT / "config" / "catalogue.yaml").read_text())
    (code / "config" / "catalogue.yaml").write_text(yaml.safe_dump(_as_before(catalogue)))
    await run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    # What a folder of packages has in files `.pth` of its own, ours for one, is not read for one that is named here.
    (Path(paths["purelib"]) / "before.pth").write_text(f"{code}\n{sysconfig.get_paths()['purelib']}\n")
    python = str(environment / "bin" / "python")
    told = await run(python, "-I", "-c", "import deployd; print(deployd.__path__[0])")
    assert told.text == f"{code}/deployd"
    return Program(python, code)
