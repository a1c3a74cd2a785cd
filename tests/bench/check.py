"""`deployd check`, cold, on the largest project of the corpus: a person runs it before each push. Beside it, Python and
PyYAML that load the same files and check nothing."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deployd.cli.exit_status import CANNOT_RUN, WELL
from deployd.process import ProgramFailed, run
from deployd.project.reader import read_project
from deployd.services.families import RUNNABLE
from scripts.local_daemon import ROOT
from tests.support.corpus import CorpusProject, corpus_projects
from tests.support.outcome import Outcome, median

ROUNDS = 9
SECONDS = 0.5
CHECKED = (WELL, CANNOT_RUN)   # the files are right in both; which versions the catalogue has is not what is measured
ONLY_LOAD = "import sys, yaml\nfor path in sys.argv[1:]:\n    yaml.safe_load(open(path, 'rb'))"


async def measure(say: Callable[[str], None]) -> Outcome:
    project, lines = max(((item, _lines(item)) for item in corpus_projects() if _accepted(item)), key=lambda x: x[1])
    with tempfile.TemporaryDirectory(prefix="deployd-bench-") as name:
        folder = Path(name)
        for path in project.tree.paths():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(project.tree.read(path))
        files = [str(file) for file in folder.rglob("*.yaml") if "!" not in file.read_text()]
        ours, peer = [], []
        for _ in range(ROUNDS):
            ours.append(await _seconds(CHECKED, sys.executable, "-m", "deployd", "check", name))
            peer.append(await _seconds((WELL,), sys.executable, "-c", ONLY_LOAD, *files))
    found, beside = median(ours), median(peer)
    say(f"{found:.2f} s, of which Python and PyYAML are {beside:.2f} s")
    return Outcome(
        "check", {"seconds": found, "slowest_seconds": round(max(ours), 3)}, {"seconds": beside},
        round(found / beside, 2), f"at most {SECONDS} s, Python's own start included", found <= SECONDS,
        (f"median of {ROUNDS}, a new process each time", f"{project.name}: {lines} lines of configuration"),
    )


async def _seconds(statuses: tuple[int, ...], *argv: str) -> float:
    began = time.perf_counter()
    output = await run(*argv, cwd=ROOT, check=False)
    seconds = time.perf_counter() - began
    if output.status not in statuses:
        raise ProgramFailed(argv, output)
    return seconds


def _accepted(project: CorpusProject) -> bool:
    return read_project(project.tree, runnable=RUNNABLE).config is not None


def _lines(project: CorpusProject) -> int:
    yaml = [path for path in project.tree.paths() if path.endswith(".yaml")]
    return sum(project.tree.read(path).count(b"\n") for path in yaml)
