"""The deployd of the version before, from the history of this repository, as an operator had it who upgrades now."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from deployd.process import run
from scripts.local_daemon import ROOT, Program

BEFORE = "d86ba69de993f36981e243912c07c19f526e4683"
"""The last commit before the rooms were laid out anew. With each release this becomes the release before it."""
NO_HISTORY = f"""\
the history of this repository has no commit {BEFORE}, so there is no version before to upgrade from:
clone the whole repository, or complete this clone with `git fetch --unshallow`"""


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
    for name in ("images", "catalogue.yaml"):
        await run("rm", "-r", str(code / "config" / name))
        await run("cp", "-r", str(ROOT / "config" / name), str(code / "config" / name))
    await run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    # What a folder of packages has in files `.pth` of its own, ours for one, is not read for one that is named here.
    (Path(paths["purelib"]) / "before.pth").write_text(f"{code}\n{sysconfig.get_paths()['purelib']}\n")
    python = str(environment / "bin" / "python")
    told = await run(python, "-I", "-c", "import deployd; print(deployd.__path__[0])")
    assert told.text == f"{code}/deployd"
    return Program(python, code)
