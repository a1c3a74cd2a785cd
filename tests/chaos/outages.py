"""What happens to a host: a power cut, and an Engine that is killed and comes back. Runs on a host of its own.

    python -m tests.chaos.outages <folder> <act> …

From the first to the last moment each host answers with its own text, with an error of the router, or not at all.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from scripts.removal import mounts_below
from tests.chaos.outage_stand import APPS, BACK_SECONDS, Stand, prepare, so, until
from tests.support.inventory import ownerless
from tests.support.journal_record import read_live, read_records

MOST_SHOWN = 20


async def a_power_cut(stand: Stand) -> None:
    """Everything dies at once; slugs are not mounted, and the folders where they were are there, empty."""
    before = await _addresses(stand)
    kill_daemon(stand)
    await stand.engine.cut_power()
    assert mounts_below(stand.daemon.directory) == []
    async with stand.crowd():
        await stand.engine.start()
        await _start_in_another_order(stand)
        await asyncio.sleep(2)   # a while without a daemon: whoever is there must not be led to a stranger
        await stand.daemon.start(BACK_SECONDS)
        await until(stand.all_answer, "everything is live again")
        await asyncio.sleep(2)
    assert await _addresses(stand) == before, "addresses are kept"


async def an_engine_killed_without_a_daemon(stand: Stand) -> None:
    """The daemon lies dead while the Engine is killed and comes back; then the daemon comes back too."""
    kill_daemon(stand)
    async with stand.crowd():
        await stand.engine.kill()
        await asyncio.sleep(1)
        await stand.engine.start()
        await _start_in_another_order(stand)
        await asyncio.sleep(2)
        await stand.daemon.start(BACK_SECONDS)
        await until(stand.all_answer, "everything is live again")


async def containers_that_change_places(stand: Stand) -> None:
    """The daemon lies dead, the router goes on by what it was told, and containers end and start in another order."""
    kill_daemon(stand)
    async with stand.crowd():
        listed = await stand.engine.docker("ps", "--format", "{{.Names}}", "--filter", "label=deployd.role=web")
        names = sorted(listed.stdout.split())
        await stand.engine.docker("stop", "--time", "1", *names)
        for name in reversed(names):
            await stand.engine.docker("start", name)
        await asyncio.sleep(2)
        await stand.daemon.start(BACK_SECONDS)
        await until(stand.all_answer, "everything is live again")


async def an_engine_killed_in_a_build(stand: Stand) -> None:
    await _engine_killed_at(stand, "build_apps", build_seconds=4)


async def an_engine_killed_in_a_deploy_hook(stand: Stand) -> None:
    await _engine_killed_at(stand, "run_deploy_hook", deploy_seconds=4)


async def an_engine_killed_when_containers_are_made(stand: Stand) -> None:
    await _engine_killed_at(stand, "start_apps")


async def _engine_killed_at(stand: Stand, step: str, *, build_seconds: float = 0, deploy_seconds: float = 0) -> None:
    """The deployment goes on or is undone; the daemon hears Docker's events again."""
    version = f"in {step}"
    async with stand.crowd():
        await stand.push("main", version, build_seconds=build_seconds, deploy_seconds=deploy_seconds)
        await until(lambda: so(read_records(stand.state)[-1].first(step, "started") is not None), f"{step} begins")
        await asyncio.sleep(1.5 if build_seconds or deploy_seconds else 0)
        await stand.engine.kill()
        await asyncio.sleep(1)
        await stand.engine.start()
        state = await stand.until_ended()
        say(f"  the deployment: {state} {read_records(stand.state)[-1].reason}")
        await until(stand.all_answer, "everything is live again")
        await _hears_events(stand)
    expected = version if state == "success" else "v1"
    assert (await stand.ask(("main", "one")))[1].startswith(expected)
    assert await _ownerless(stand) == []
    for app in APPS:   # what was not live is wrong from now on
        stand.right["main", app] = {text for text in stand.right["main", app] if text.startswith(expected)}


async def _ownerless(stand: Stand) -> list[str]:
    live = read_live(stand.state)
    return [item for item in await ownerless(stand.daemon, live) if " worker of " not in item]


async def _hears_events(stand: Stand) -> None:
    listed = await stand.engine.docker("ps", "--quiet", "--filter", "label=deployd.role=web")
    await stand.engine.docker("kill", listed.stdout.split()[0])
    await until(stand.all_answer, "a killed container is back")


async def _start_in_another_order(stand: Stand) -> None:
    """As somebody might who helps Docker along: other addresses come of it, if addresses can move."""
    listed = await stand.engine.docker("ps", "--all", "--format", "{{.Names}}", "--filter", "label=deployd.role")
    names = sorted(name for name in listed.stdout.split() if "-web-" in name)
    for name in reversed(names):
        await stand.engine.docker("restart", "--time", "1", name, check=False)


async def _addresses(stand: Stand) -> dict[str, str]:
    listed = await stand.engine.docker("ps", "--quiet", "--filter", "label=deployd.role=web")
    form = "{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    shown = await stand.engine.docker("inspect", "--format", form, *listed.stdout.split())
    return dict(line.split() for line in shown.stdout.splitlines())


def kill_daemon(stand: Stand) -> None:
    pid = stand.daemon.running()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def say(text: str) -> None:
    print(text, flush=True)


ACTS = {act.__name__: act for act in (
    a_power_cut, containers_that_change_places, an_engine_killed_without_a_daemon, an_engine_killed_in_a_build,
    an_engine_killed_in_a_deploy_hook, an_engine_killed_when_containers_are_made,
)}


async def main(folder: Path, *acts: str) -> int:
    """The acts, all of them when none is named; the exit status."""
    os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
    began = time.monotonic()
    stand = await prepare(folder)
    say(f"prepared after {time.monotonic() - began:.1f} s")
    failed = False
    for name in acts or ACTS:
        began = time.monotonic()
        try:
            await ACTS[name](stand)
        except (AssertionError, ExceptionGroup) as error:
            say(f"{name}: {error!r} {getattr(error, 'exceptions', '')}\n{stand.daemon.log_tail(60)}")
            for entry in read_records(stand.state)[-1].entries:
                say(f"  {entry.at:.3f} {entry.step} {entry.event} {entry.said}")
            return 1
        counts: Counter[int] = Counter()
        for (_, status), count in stand.answers.items():
            counts[status] += count
        say(f"{name}: {time.monotonic() - began:.1f} s; answers by status: {dict(sorted(counts.items()))}")
        for line in stand.wrong[:MOST_SHOWN]:
            say(f"{name}: wrong ({len(stand.wrong)} in all): {line}")
        failed = failed or bool(stand.wrong)
        stand.answers.clear()
        stand.wrong.clear()
    return int(failed)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:])))
