"""Start commands that nobody asks before the switch: workers', and those to which no request gets.

They end as easily as any other, and what is said then is a warning: visitors do not need them.
"""

from __future__ import annotations

import asyncio

from deployd.activity.log import Tell
from deployd.deployment.deployment import Deployment
from deployd.project.model import Application, ProjectConfig
from deployd.release.applications.environment_file import environment_error
from deployd.release.applications.needed import is_needed, scripts_of
from deployd.release.applications.start_records import Starts, read_starts
from deployd.release.ports import Host
from deployd.release.version import worker_part

EVIDENCE_LINES = 5


async def tell_ended_starts(deployment: Deployment, host: Host, config: ProjectConfig, tell: Tell) -> None:
    """Warn of each that has ended since it was started, with its last lines."""
    for app in config.applications:
        if app.web.instance.commands.start is not None and not is_needed(app):
            for part in deployment.release.webs(app.name):
                await _look(deployment, host, app, "app", part, tell)
        for worker in app.workers:
            await _look(deployment, host, app, "worker", worker_part(app.name, worker.name), tell)


async def _look(deployment: Deployment, host: Host, app: Application, role: str, part: str, tell: Tell) -> None:
    starts = await asyncio.to_thread(read_starts, scripts_of(deployment.release, host, part))
    if starts is None or not (starts.ended or starts.has_no_environment):
        return
    lines = await host.engine.last_lines(deployment.container(role, part))
    what = f"the start command of the {'worker ' if role == 'worker' else ''}{part}"
    failed = environment_error(lines, app.root, what)
    if failed is not None:
        tell.warn(f"{failed.what} ({failed.where}): {failed.hint}", failed.evidence)
        return
    tell.warn(words_of_end(what, starts), lines[-EVIDENCE_LINES:])


def words_of_end(what: str, starts: Starts) -> str:
    """Pure."""
    times = f"{starts.ended} times, the last time " if starts.ended > 1 else ""
    return f"{what} ended {times}with status {starts.status}; it is started again and again, with growing pauses"
