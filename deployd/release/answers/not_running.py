"""A command that cannot be run because its container has ended, or ends again and again: why that is."""

from __future__ import annotations

from deployd.engine.errors import EngineRefused, NotRunning
from deployd.errors import DeployError
from deployd.project.model import Application
from deployd.release.applications.environment_file import environment_error
from deployd.release.ports import Host

REFUSED = (NotRunning, EngineRefused)
"""What Docker says then: `is not running`, `is restarting`."""
LINES = 20


async def why_not_running(host: Host, app: Application, container: str, who: str, error: DeployError) -> DeployError:
    """The error to tell, for one of REFUSED; that one itself when the container runs.

    Args:
        who: What could not be run: `the deploy hook of shop`.
    """
    seen = await host.engine.container(container)
    if seen is not None and seen.running and not seen.restarts:
        return error
    lines = await host.engine.last_lines(container, LINES)
    failed = environment_error(lines, app.root, who)
    if failed is not None:
        return failed
    times = f" (started anew {seen.restarts} times)" if seen is not None and seen.restarts else ""
    return NotRunning(
        f"{who} could not be run: its container does not stay up{times}", where=error.where, evidence=tuple(lines),
        hint="its output is above: mostly its memory is full, or its start command ends it",
    )
