"""Whether a new version's application listens, asked of the kernel: before its deploy hook it is asked nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from deployd.activity.log import Tell
from deployd.project.model import Application
from deployd.release.answers.not_answering import environment_failed
from deployd.release.answers.steadiness import waits_for_its_hook
from deployd.release.applications.needed import is_needed, scripts_of, wanted_socket
from deployd.release.applications.start_records import NOTHING_YET, Starts, read_starts
from deployd.release.ports import Host
from deployd.release.release import Release

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.005, 0.2, 1.1
BEGIN_SECONDS = 1.0


async def wait_until_listening(
    release: Release, host: Host, app: Application, limit_seconds: float,
) -> bool | None:
    """Wait until the application has its socket open. The kernel is asked, not it.

    Returns:
        False at the end of the time, or when its start command has ended so often that it waits in vain; None: no
        request ever gets to it, so it need not listen.

    Raises:
        EnvironmentFileFailed: Its `.environment` ended the shell, so that its start command is never begun.
    """
    scripts = scripts_of(release, host, app.name)
    if not is_needed(app):
        await _wait_until_begun(release, host, app, scripts)
        return None
    web = release.container("web", app.name)
    seen = await host.engine.container(web)
    if seen is None or not seen.has_process:
        return False
    pause = PAUSE_SECONDS
    try:
        async with asyncio.timeout(limit_seconds):
            while True:
                if await host.engine.is_listening(seen, wanted_socket(app)):
                    return True
                starts = await asyncio.to_thread(read_starts, scripts)
                await _refuse_without_environment(release, host, app, starts)
                if starts is not None and waits_for_its_hook(starts):
                    return False
                await asyncio.sleep(pause)
                pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        return False


async def _refuse_without_environment(
    release: Release, host: Host, app: Application, starts: Starts | None,
) -> None:
    if starts is not None and starts.has_no_environment:
        raise await environment_failed(host, app, release.container("app", app.name))


async def _wait_until_begun(release: Release, host: Host, app: Application, scripts: Path) -> None:
    """Let what is not asked for be begun, so that a hook finds its container running; a pre_start takes longer."""
    starts = await asyncio.to_thread(read_starts, scripts)
    with suppress(TimeoutError):
        async with asyncio.timeout(BEGIN_SECONDS):
            while starts is not None and starts.state == NOTHING_YET:
                await asyncio.sleep(PAUSE_SECONDS)
                starts = await asyncio.to_thread(read_starts, scripts)
    await _refuse_without_environment(release, host, app, starts)


SOFT_START_SECONDS = 15
"""How long an application may take to listen before the freeze; one that needs its deploy hook first never does."""


async def greet(release: Release, host: Host, tell: Tell, app: Application) -> None:
    """Wait until the application listens. It is asked nothing: new code must not answer before its deploy hook ran."""
    patience = min(SOFT_START_SECONDS, host.settings.answer_seconds)
    listens = await wait_until_listening(release, host, app, patience)
    if listens is None:
        started = app.web.instance.commands.start is not None
        tell.line("serves files" + ("; no request gets to its start command" if started else ""), app=app.name)
    elif listens:
        tell.line("listens", app=app.name)
    else:
        tell.line("does not listen yet; it may need its deploy hook", app=app.name)
