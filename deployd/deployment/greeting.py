"""Whether a new version's application listens, asked of the kernel: before its deploy hook it is asked nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from deployd.deployment.host import Host
from deployd.deployment.needed import is_needed, scripts_of, wanted_socket
from deployd.deployment.not_answering import environment_failed
from deployd.deployment.starts import NOTHING_YET, Starts, read_starts
from deployd.deployment.steadiness import waits_for_its_hook
from deployd.deployment.view import Deployment
from deployd.engine.docker.listening import is_listening
from deployd.project.model import Application

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.005, 0.2, 1.1
BEGIN_SECONDS = 1.0


async def wait_until_listening(
    deployment: Deployment, host: Host, app: Application, limit_seconds: float,
) -> bool | None:
    """Wait until the application has its socket open. The kernel is asked, not it.

    Returns:
        False at the end of the time, or when its start command has ended so often that it waits in vain; None: no
        request ever gets to it, so it need not listen.

    Raises:
        EnvironmentFileFailed: Its `.environment` ended the shell, so that its start command is never begun.
    """
    scripts = scripts_of(deployment, host, app.name)
    if not is_needed(app):
        await _wait_until_begun(deployment, host, app, scripts)
        return None
    web = deployment.container("web", app.name)
    seen = await host.engine.container(web)
    if seen is None or seen.pid is None:
        return False
    pause = PAUSE_SECONDS
    try:
        async with asyncio.timeout(limit_seconds):
            while True:
                listens, starts = await asyncio.to_thread(_look, seen.pid, wanted_socket(app), scripts)
                if listens:
                    return True
                await _refuse_without_environment(deployment, host, app, starts)
                if starts is not None and waits_for_its_hook(starts):
                    return False
                await asyncio.sleep(pause)
                pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        return False


async def _refuse_without_environment(
    deployment: Deployment, host: Host, app: Application, starts: Starts | None,
) -> None:
    if starts is not None and starts.has_no_environment:
        raise await environment_failed(host, app, deployment.container("app", app.name))


async def _wait_until_begun(deployment: Deployment, host: Host, app: Application, scripts: Path) -> None:
    """Let what is not asked for be begun, so that a hook finds its container running; a pre_start takes longer."""
    starts = await asyncio.to_thread(read_starts, scripts)
    with suppress(TimeoutError):
        async with asyncio.timeout(BEGIN_SECONDS):
            while starts is not None and starts.state == NOTHING_YET:
                await asyncio.sleep(PAUSE_SECONDS)
                starts = await asyncio.to_thread(read_starts, scripts)
    await _refuse_without_environment(deployment, host, app, starts)


def _look(pid: int, wanted: int | str, scripts: Path) -> tuple[bool, Starts | None]:
    return is_listening(pid, wanted), read_starts(scripts)
