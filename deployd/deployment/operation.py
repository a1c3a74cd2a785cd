"""A runtime operation: a command of the application's file that somebody runs on demand, in the running container.

    prepared ──► started ──► ended ──► forgotten
                    │          ▲
          cancelled,└ overran ─┴─ stop command, else SIGTERM; SIGKILL

It waits in its environment's lane: no deployment takes its container away, and none begins beside it. What is live when
its turn comes says what the command is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deployd.access.roles import Role
from deployd.activity.log import Tell
from deployd.confined.trash import move_to_trash
from deployd.deployment.deployment import Deployment
from deployd.engine.errors import NotRunning, NotThere, ScriptLost, ScriptOverran
from deployd.engine.script import Script, age_seconds, has_started, is_held, prepare
from deployd.engine.script_runner import ScriptRunner
from deployd.environment.platform import APP_FOLDER
from deployd.errors import DeployError
from deployd.project.model import Application, Operation
from deployd.release.answers.not_running import REFUSED, why_not_running
from deployd.release.applications.environment_file import environment_error
from deployd.release.applications.needed import scripts_of
from deployd.release.applications.start_script import hook_script
from deployd.release.configuration import read_config
from deployd.release.out_of_memory import hint_memory, memory_full
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.rest import find_live
from deployd.state.activities import Trigger
from deployd.state.rests import AWAKE

DEFAULT_SECONDS = 3_600.0
STOP_SECONDS = 60.0
"""For what the stop command does, and then for the operation to end."""
LEAST_SECONDS = 5.0
"""For the end of one that ended while nobody looked."""
EVIDENCE_LINES = 20


class OperationGone(DeployError):
    """What is live has no such operation, or nothing is."""

    code: ClassVar[str] = "operation-gone"


class OperationNotAllowed(DeployError):
    """What became live meanwhile gives it to a greater role than that of who asked."""

    code: ClassVar[str] = "operation-not-allowed"


class OperationFailed(DeployError):
    """It ended with another status than 0."""

    code: ClassVar[str] = "operation-failed"


class OperationOverran(DeployError):
    """It did not end in its time, and was ended."""

    code: ClassVar[str] = "operation-overran"


@dataclass(frozen=True, slots=True)
class Ran:
    seconds: float


@dataclass(frozen=True, slots=True)
class _Found:
    """An operation in what is live."""

    release: Release
    app: Application
    operation: Operation
    scripts: Path
    name: str

    @property
    def script(self) -> Script:
        return Script(self.scripts / self.name)

    @property
    def container(self) -> str:
        return self.release.container("app", self.app.name)

    def runner(self, host: Host) -> ScriptRunner:
        return ScriptRunner(host.engine, self.container, self.release.user)

    @property
    def limit_seconds(self) -> float:
        return float(self.operation.timeout_seconds or DEFAULT_SECONDS)


async def run_operation(deployment: Deployment, host: Host, tell: Tell) -> Ran:
    """Run the command to its end, or re-attach to it.

    Raises:
        OperationGone: There is nothing that could be run.
        OperationNotAllowed: It has become one for a greater role since somebody asked for it.
        OperationFailed: Its status was not 0.
        OperationOverran: It took longer than its `timeout`.
    """
    found = await _find(deployment, host)
    refuse_role(deployment.activity.trigger, found.operation)
    script = await asyncio.to_thread(
        prepare, found.scripts, found.name, hook_script(found.operation.start), group=found.release.version.uid,
    )
    goes_on = await asyncio.to_thread(has_started, script)
    say = await tell.program(f"operation {found.operation.name} runs", app=found.app.name, goes_on=goes_on)
    recent: list[str] = []

    def on_line(text: str) -> None:
        recent.append(text)
        del recent[:-EVIDENCE_LINES]
        say(text)

    who = f"the operation {found.operation.name} of {found.app.name}"
    try:
        await found.runner(host).start_or_attach(script, working_folder=APP_FOLDER)
    except REFUSED as error:
        raise await why_not_running(host, found.app, found.container, who, error) from error
    status = await _follow(found, host, tell, script, on_line, recent)
    seconds = await asyncio.to_thread(age_seconds, script)
    if status != 0:
        if failed := environment_error(recent, found.app.root, who):
            raise OperationFailed(failed.what, where=failed.where, evidence=failed.evidence, hint=failed.hint)
        size = host.settings.size(found.app.web.instance.size).memory_mb
        full = await memory_full(host, found.container, status, size)
        raise OperationFailed(
            f"{who} ended with exit code {status} after {seconds:.0f} s{full}", evidence=tuple(recent),
            hint=hint_memory("mend what failed and run it again; nothing was undone", full, "the application's `size`"),
        )
    tell.line(f"operation {found.operation.name} ended after {seconds:.1f} s", app=found.app.name)
    return Ran(seconds)


async def forget_operation(deployment: Deployment, host: Host, tell: Tell) -> None:
    """What it left in the container's folder goes: with the step before, it would be run again after a crash."""
    await _forget(await _find(deployment, host, needs_command=False), host)


async def end_operation(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: one that still runs is asked to end by its stop command, and then ended. What it did is not undone."""
    try:
        found = await _find(deployment, host, needs_command=False)
    except OperationGone:
        return
    await _stop(found, host, tell)
    await _forget(found, host)


def refuse_role(asked: Trigger, operation: Operation) -> None:
    """
    Raises:
        OperationNotAllowed: A deployment before it has changed who may run it.
    """
    if asked.role and not Role(asked.role).includes(Role(operation.role)):
        raise OperationNotAllowed(
            f"the operation {operation.name} of {asked.app} is for {operation.role}s since the deployment before it,"
            f" and {asked.who} was {asked.role}",
        )


async def _follow(
    found: _Found, host: Host, tell: Tell, script: Script, on_line: Callable[[str], None], recent: list[str],
) -> int:
    limit = found.limit_seconds
    left = limit - await asyncio.to_thread(age_seconds, script)
    try:
        async with asyncio.timeout(max(left, LEAST_SECONDS)):
            return await found.runner(host).follow(script, on_line, limit_seconds=limit + STOP_SECONDS * 2)
    except TimeoutError:
        await _stop(found, host, tell)
        raise OperationOverran(
            f"the operation {found.operation.name} of {found.app.name} was still running after {limit:g} s and was"
            " ended", evidence=tuple(recent), hint="see what it waits for, or raise its `timeout`",
        ) from None
    except ScriptLost as error:
        error.what = f"the operation {found.operation.name} was ended from outside: it left no exit status"
        raise


async def _stop(found: _Found, host: Host, tell: Tell) -> None:
    if not await asyncio.to_thread(is_held, found.script):
        return
    if found.operation.stop:
        await _run_stop_command(found, host, tell)
    await found.runner(host).end(found.script.folder)


async def _run_stop_command(found: _Found, host: Host, tell: Tell) -> None:
    """It has its time, and so has what it asks to end. Whatever comes of it, what still runs then is ended."""
    assert found.operation.stop is not None
    stopping = await asyncio.to_thread(
        prepare, found.scripts, f"{found.name}-stop", hook_script(found.operation.stop),
        group=found.release.version.uid,
    )
    say = await tell.program(f"stop command of {found.operation.name}", app=found.app.name, goes_on=False)
    runner = found.runner(host)
    try:
        await runner.start_or_attach(stopping, working_folder=APP_FOLDER)
        await runner.follow(stopping, say, limit_seconds=STOP_SECONDS)
        async with asyncio.timeout(STOP_SECONDS):
            while await asyncio.to_thread(is_held, found.script):   # noqa: ASYNC110  the kernel tells nobody
                await asyncio.sleep(0.1)
    except (ScriptOverran, ScriptLost, TimeoutError, NotThere, NotRunning) as error:
        tell.warn(f"the stop command did not end the operation: {getattr(error, 'what', 'it took too long')}")


async def _forget(found: _Found, host: Host) -> None:
    for name in (found.name, f"{found.name}-stop"):
        await move_to_trash(found.scripts / name, host.places.going)


async def _find(deployment: Deployment, host: Host, *, needs_command: bool = True) -> _Found:
    """
    Raises:
        OperationGone: What is live has no such operation; a deployment may have taken it away meanwhile.
    """
    wanted = deployment.activity.trigger
    release = await find_live(deployment.place, host)
    if release is None or await host.facts.rest(deployment.environment) != AWAKE:
        raise OperationGone(f"nothing runs in {deployment.branch}, and so no operation can",
                            hint=f"`deployd environment wake {deployment.project.id} {deployment.branch}`")
    app = (await read_config(release, host)).application(wanted.app)
    operation = next((item for item in app.operations if item.name == wanted.operation), None) if app else None
    if app is None or (operation is None and needs_command):
        raise OperationGone(
            f"what is live in {deployment.branch} has no operation {wanted.operation} of {wanted.app} any more",
            hint=f"`deployd operation list {deployment.project.id} {deployment.branch}` shows what there is",
        )
    return _Found(
        release, app, operation or Operation(wanted.operation, ""), scripts_of(release, host, app.name),
        f"operation-{deployment.id}",
    )
