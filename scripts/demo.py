"""`make demo`: a push becomes a page, and a second push changes it under load without a visitor noticing.

Everything lies under one directory (build/demo) and carries one name in Docker; `down` removes it. The daemon and the
environment go on after the demo, so that the page can be looked at. The last line is always
`demo: requests=N failed=F longest_wait=S` (seconds); the exit status is 1 when F is not 0 or the new version is not
live.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.load import SHOP, Ask, Counted, Load, print_counted
from scripts.local_daemon import ROOT, DaemonDidNotStart, LocalDaemon, free_port, instance_of
from scripts.local_engine import end_engine, engine_answers
from scripts.page import Page, essential_lines, fetch
from scripts.removal import left_behind, remove_all
from scripts.repository import commit, copy_into, make_repository

SAMPLES = ROOT / "config" / "samples"
DIRECTORY = ROOT / "build" / "demo"
LOAD_BEFORE_SECONDS = 2.0
LOAD_AFTER_SECONDS = 3.0
RATE, FOREIGN_RATE = 20.0, 2.0
"""Requests a second: to our samples; to templates from elsewhere, which may open a connection for each and keep it."""
USUAL_PORTS = (8480, 8080, 2222)


def say(text: str = "") -> None:
    print(f"demo: {text}" if text else "", flush=True)


async def up(directory: Path, template: str, *, rate: float | None) -> int:
    """The whole demo. Returns the exit status."""
    source = _template(template)
    rate = rate or (RATE if source.parent == SAMPLES else FOREIGN_RATE)
    project = re.sub(r"[^a-z0-9-]+", "-", source.name.lower()).strip("-")[:32]
    earlier = LocalDaemon(directory, {}, instance=instance_of(directory, "demo"))
    if directory.exists():
        say("removing what an earlier demo left")
        await _remove(earlier)
    # A project from elsewhere may ask for a version that no Debian has; our samples ask for what is there.
    settings = {} if source.parent == SAMPLES else {"runtime_fallback": "nearest"}
    daemon = LocalDaemon(
        directory, {project: {"title": f"Demo of {source.name}"}}, instance=earlier.instance, settings=settings,
        api_port=free_port(USUAL_PORTS[0]), http_port=free_port(USUAL_PORTS[1]),
        ssh_port=free_port(USUAL_PORTS[2]),
    )
    say(f"starting deployd below {_short(directory)}")
    seconds = await daemon.start()
    say(f"deployd is ready after {seconds:.1f} s, log in {_short(daemon.log_file)}")
    say(f"console: {daemon.api}/ (sign in with the token in {_short(daemon.settings_file)})")
    say(f"git over SSH, once you have a key there (deployd people, deployd key): {daemon.ssh_url(project)}")

    repository = directory / "repository" / project
    await make_repository(repository, source)
    say(f"pushing {_short(source)} to {daemon.repository_url(project)}")
    pushed = await daemon.push(repository, project, on_line=_show)
    if not pushed.deployed:
        say(f"the push was refused or its deployment failed after {pushed.seconds:.1f} s, as it says above")
        return _end(Counted(), 1)
    say(f"the push took {pushed.seconds:.1f} s")
    url = daemon.url(project)
    page = await fetch(url)
    _show_page(url, page)
    if page.status >= 500:
        say(f"the page has status {page.status}, which is not what a deployment should end with")
        return _end(Counted(), 1)

    counted, changed = await _push_under_load(daemon, project, repository, source, page, rate)
    return _end(counted, 0 if changed else 1)


async def _push_under_load(
    daemon: LocalDaemon, project: str, repository: Path, source: Path, before: Page, rate: float,
) -> tuple[Counted, bool]:
    say()
    url = daemon.url(project)
    await _change(repository, source)
    await commit(repository, "Second version")
    asks = SHOP if source == SAMPLES / "shop" else (Ask("GET", "/", before.status),)
    ours = source.parent == SAMPLES
    load = Load(url, asks, rate=rate, old=before.version, one_at_a_time=not ours)
    say(f"{'' if ours else 'up to '}{rate:g} requests a second from now on, and a second push with a change in it")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(load.run(), name="load")
        await asyncio.sleep(LOAD_BEFORE_SECONDS)
        pushed = await daemon.push(repository, project, on_line=_show)
        await asyncio.sleep(LOAD_AFTER_SECONDS)
        load.stop()
    counted = running.result()
    say(f"the push took {pushed.seconds:.1f} s")
    after = await fetch(url)
    _show_page(url, after)
    print_counted(counted, "demo: ")
    changed = pushed.deployed
    if before.version is not None and after.version == before.version:
        changed = False
        say(f"visitors still see version {after.version}")
    return counted, changed


async def _change(repository: Path, source: Path) -> None:
    """Something new for the second push: the files beside the sample, else a new VERSION, else a new file."""
    change, version = source.with_name(f"{source.name}-next"), repository / "VERSION"
    if change.is_dir():
        await copy_into(repository, change)
    elif version.is_file():
        version.write_text(f"{version.read_text().strip()}-next\n")
    else:
        (repository / "deployd-demo.txt").write_text("A change.\n")


def _end(counted: Counted, status: int) -> int:
    say(f"requests={counted.requests} failed={counted.failed} longest_wait={counted.longest_wait:.2f}")
    return 1 if counted.failed else status


async def down(directory: Path) -> int:
    """Remove all that the demo made. Returns the exit status."""
    daemon = LocalDaemon(directory, {}, instance=instance_of(directory, "demo"))
    if await engine_answers():
        removed = await _remove(daemon)
        for item in removed:
            say(f"removed {item}")
        left = await left_behind(daemon.instance, directory)
        for item in left:
            say(f"still there: {item}")
        if left:
            return 1
        if ended := await end_engine(ROOT / "build" / "dockerd.pid"):
            say(ended)
    elif directory.exists():
        await daemon.stop()
        shutil.rmtree(directory)
        say(f"removed the folder {_short(directory)}; no Docker Engine answers, so nothing runs in it")
    say("nothing is left behind")
    return 0


async def _remove(daemon: LocalDaemon) -> list[str]:
    seconds = await daemon.stop()
    stopped = [] if seconds is None else [f"the daemon (ended after {seconds:.1f} s)"]
    return [*stopped, *await remove_all(daemon.instance, daemon.directory)]


def _show(line: str) -> None:
    print(f"  {line}", flush=True)


def _show_page(url: str, page: Page) -> None:
    say(f"{url} answers with status {page.status}:")
    for line in essential_lines(page):
        _show(f"| {line}")


def _template(name: str) -> Path:
    """A folder, or the name of one of the samples."""
    for folder in (SAMPLES / name, Path(name)):
        if folder.is_dir():
            return folder.resolve()
    known = ", ".join(sorted(path.name for path in SAMPLES.iterdir() if not path.name.endswith("-next")))
    raise SystemExit(f"demo: there is no folder {name}; the samples are {known}")


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.split("\n\n")[0])
    parser.add_argument("--directory", type=Path, default=DIRECTORY)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="push a project, then a change of it under load")
    start.add_argument("--template", default="shop", help="a sample's name or a folder")
    start.add_argument("--rate", type=float, help="requests a second")
    commands.add_parser("down", help="remove all that the demo made")
    given = parser.parse_args(arguments)
    directory = given.directory.resolve()
    began = time.monotonic()
    try:
        if given.command == "down":
            return asyncio.run(down(directory))
        return asyncio.run(up(directory, given.template, rate=given.rate))
    except DaemonDidNotStart as error:
        say(f"{error}")
        return _end(Counted(), 1)
    except KeyboardInterrupt:
        say(f"ended by hand after {time.monotonic() - began:.0f} s; `make demo-down` removes what was made")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
