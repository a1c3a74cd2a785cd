"""How a hook runs in the app container: under a wrapper that leaves output and status where they can be found again.

A daemon that comes back after a restart re-attaches to a hook that runs, or reads how it ended; none starts twice.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.confined.trash import move_to_trash
from deployd.engine.errors import ScriptLost, ScriptOverran
from deployd.engine.script import age_seconds, has_started, prepare
from deployd.engine.script_runner import ScriptRunner
from deployd.environment.platform import APP_FOLDER
from deployd.errors import DeployError
from deployd.project.model import Application, Hook
from deployd.release.answers.not_running import REFUSED, why_not_running
from deployd.release.applications.environment_file import environment_error
from deployd.release.applications.needed import scripts_of
from deployd.release.applications.sizes import size_of
from deployd.release.applications.start_script import hook_script
from deployd.release.images_missing import instead_of
from deployd.release.out_of_memory import hint_memory, memory_full
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.runtimes.magento.program import with_recipe

HOOKS = {"prepare": "look ahead", "deploy": "deploy hook", "post_deploy": "post-deploy hook"}
"""{name: what people call it}. What runs as `prepare` is a recipe's and no project's."""


class HookFailed(DeployError):
    """A hook ended with a status other than 0. The status is the last command's."""

    code: ClassVar[str] = "hook-failed"


class HookOverran(DeployError):
    """A hook did not end in its time; it was ended, with all that it had started."""

    code: ClassVar[str] = "hook-overran"


async def run_hook(
    release: Release, host: Host, tell: Tell, app: Application, name: str, hook: Hook,
) -> None:
    """Run a hook to its end, or re-attach to it; every line of its output goes to the activity log.

    Raises:
        HookFailed: Its status was not 0.
        HookOverran: It took longer than `hook_limit_seconds`.
    """
    container = release.container("app", app.name)
    runner = ScriptRunner(host.engine, container, release.user)
    script = await asyncio.to_thread(
        prepare, scripts_of(release, host, app.name), script_name(release, app.name, name),
        hook_script(with_recipe(app, name, hook.script)), group=release.version.uid,
    )
    runs = await asyncio.to_thread(has_started, script)
    say = await tell.program(f"{HOOKS[name]} runs", app=app.name, goes_on=runs)
    recent: list[str] = []

    def on_line(text: str) -> None:
        recent.append(text)
        del recent[:-20]
        say(text)

    who, where = f"the {HOOKS[name]} of {app.name}", f"{hook.place.file}:{hook.place.line}"
    try:
        await runner.start_or_attach(script, working_folder=APP_FOLDER)
    except REFUSED as error:
        raise await why_not_running(host, app, container, who, error) from error
    limit = host.settings.hook_limit_seconds
    try:
        status = await runner.follow(script, on_line, limit_seconds=limit)
    except ScriptOverran:
        raise HookOverran(
            f"{who} was still running after {limit} s and was ended", where=where, evidence=tuple(recent),
            hint="see what it waits for, or raise `hook_limit_seconds` in the operator's settings",
        ) from None
    except ScriptLost as error:
        error.what, error.where = f"{who} was ended from outside: it left no exit status", where
        raise
    seconds = await asyncio.to_thread(age_seconds, script)   # it may have begun before the daemon did
    if status != 0:
        if failed := environment_error(recent, app.root, who):
            raise HookFailed(failed.what, where=failed.where, evidence=failed.evidence, hint=failed.hint)
        full = await memory_full(host, container, status, size_of(host.settings, app, app.web.instance).memory_mb)
        hint = "make what failed repeatable, or undo it by hand, and push again"
        raise HookFailed(
            f"{who} ended with exit code {status} after {seconds:.0f} s{full}{instead_of(host.catalogue, app)}",
            where=where,
            evidence=tuple(recent),
            hint=hint_memory(hint, full, "`size` of the application"),
        )
    tell.line(f"{HOOKS[name]} ended after {seconds:.1f} s", app=app.name)


async def end_hook(release: Release, host: Host, app: str, name: str) -> None:
    """End a hook that still runs; none running is fine."""
    folder = scripts_of(release, host, app) / script_name(release, app, name)
    await ScriptRunner(host.engine, release.container("app", app), release.user).end(folder)


def script_name(release: Release, app: str, hook: str) -> str:
    """The name of a hook's script: in containers that are kept there are those of earlier deployments."""
    return hook if release.home(app) == release.id else f"{hook}-{release.id}"


async def forget_hooks(release: Release, host: Host, app: str) -> None:
    """Remove what hooks of earlier deployments left in containers that are kept, but for those that made them."""
    scripts = scripts_of(release, host, app)
    there = await asyncio.to_thread(lambda: [folder for hook in HOOKS for folder in scripts.glob(f"{hook}-*")])
    own = {script_name(release, app, hook) for hook in HOOKS}
    for folder in there:
        if folder.name not in own:
            await move_to_trash(folder, host.places.going)
