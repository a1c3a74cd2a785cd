"""A source operation: a command of an application's file that changes the code of its branch.

    tip of the branch ─► clone ─► the command of each application that has one, in what builds run in
                                        └─► a pack of what it committed ─► mirror ─► the branch moves ─► a push

It runs as a build does, without services or mounts, with what builds see of variables, and in a clone of its own that
nobody trusts afterwards (`git/clones.py`). Whether the new commit can be deployed is asked before the branch moves. It
is deployed by an activity of its own, which comes to be in the transaction in which this one ends.
"""

from __future__ import annotations

import asyncio
import shlex
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from deployd.activity.kinds import Kind, Progress
from deployd.activity.log import Tell
from deployd.confined.beneath import open_folder, read_file
from deployd.confined.trash import move_to_trash
from deployd.deployment.build import build_network
from deployd.deployment.deployment import Deployment
from deployd.deployment.desired import build_variables
from deployd.engine.script import SCRIPTS_FOLDER, Script, prepare
from deployd.engine.script_runner import ScriptRunner
from deployd.engine.script_wrapper import wrapper_command
from deployd.engine.specs import Bind, ContainerSpec, Network
from deployd.engine.trust import STORE
from deployd.environment.platform import APP_FOLDER, CACHE_FOLDER, About, build_environment, merged_environment
from deployd.errors import DeployError
from deployd.git.clones import commit_named
from deployd.ids import CommitId
from deployd.project.model import Application
from deployd.release.applications.kernel_limits import refuse_too_large
from deployd.release.configuration import config_of
from deployd.release.identity import ensure_identity, identity_binds
from deployd.release.ports import Host
from deployd.release.trust import VARIABLES, trust_binds
from deployd.runtimes.known import runtime_of
from deployd.runtimes.paths import build_paths
from deployd.state import activities, environments
from deployd.state.activities import NewActivity, Trigger
from deployd.state.rests import INACTIVE
from deployd.units import MEGABYTE

OUT_FOLDER = "/run/deployd/out"
LARGEST_PACK = 200 * MEGABYTE
CHUNK_BYTES = 1_000_000
EVIDENCE_LINES = 20
PART = "source"
OWN_FOLDER = ".source"
"""No application is called so."""


class SourceOperationGone(DeployError):
    """The branch, or the operation, is not there any more."""

    code: ClassVar[str] = "source-operation-gone"


class SourceOperationFailed(DeployError):
    """Its command ended with another status than 0, or left nothing that could be pushed."""

    code: ClassVar[str] = "source-operation-failed"


class SourceProtected(DeployError):
    """A protected environment takes what is merged, and nothing that is made in it."""

    code: ClassVar[str] = "source-protected"


@dataclass(frozen=True, slots=True)
class Cloned:
    commit: CommitId
    """Of the branch, when it was cloned."""
    apps: tuple[tuple[str, str], ...]
    """(application, image) of those that have the operation, in order."""
    uid: int


@dataclass(frozen=True, slots=True)
class Pushed:
    commit: CommitId | None
    """None: it changed nothing."""


async def clone_source(deployment: Deployment, host: Host, tell: Tell) -> Cloned:
    """Find what is to be run, and have a clone for it.

    Raises:
        SourceProtected, SourceOperationGone, ConfigurationRefused: There is nothing that could be run.
    """
    refuse_protected(deployment)
    project, name = deployment.project, deployment.activity.trigger.operation
    await host.code.fetch(project)
    tip = await host.code.tip(project.id, deployment.branch)
    if tip is None:
        raise SourceOperationGone(f"there is no branch {deployment.branch} in the repository", hint="push it first")
    config = await config_of(project, tip, host)
    uid = await host.facts.uid(project.id)
    apps = []
    for app in config.applications:
        if name in app.source_operations:
            nearest = host.settings.takes_nearest(project)
            choice = host.catalogue.runtime(app.runtime_name, app.version, nearest=nearest)
            apps.append((app.name, await host.images.ensure(choice.entry, tell.line)))
    if not apps:
        raise SourceOperationGone(f"no application of {deployment.branch} has a source operation {name}")
    clone = _folder(deployment, host) / "app"
    await move_to_trash(clone, host.places.going)   # of a daemon that died in the middle
    await asyncio.to_thread(clone.parent.mkdir, parents=True, exist_ok=True)
    commit = await host.code.clone(project, deployment.branch, clone, uid)
    await asyncio.to_thread(_make_out, _folder(deployment, host), uid)
    tell.line(f"{deployment.branch} at {commit[:8]}")
    return Cloned(commit, tuple(apps), uid)


async def run_source_operation(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Run its command for each application that has one, one after the other.

    Raises:
        SourceOperationFailed: One ended with another status than 0.
    """
    cloned = deployment.journal.result("clone_source", Cloned)
    config = await config_of(deployment.project, cloned.commit, host)
    for number, (name, image) in enumerate(cloned.apps):
        app = config.application(name)
        assert app is not None, name
        await _run(deployment, host, tell, app, image, cloned, is_first=number == 0)


async def discard_source(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: what runs is ended, and the clone goes. The branch is where it was."""
    await _remove_containers(deployment, host)
    await move_to_trash(host.places.work(deployment.id), host.places.going)


async def push_source(deployment: Deployment, host: Host, tell: Tell) -> Pushed:
    """Have the branch at what was committed, if that can be deployed.

    Raises:
        SourceProtected: It is protected by now.
        PackRefused, SourceOperationFailed: What was left cannot be taken.
        ConfigurationRefused: It cannot be deployed.
        BranchMoved, PushRefused: The branch is not where it was, or the forge takes nothing.
    """
    refuse_protected(deployment)
    project, cloned = deployment.project, deployment.journal.result("clone_source", Cloned)
    folder = _folder(deployment, host)
    new = await asyncio.to_thread(_commit_of, folder)
    if new is None or new == cloned.commit:
        tell.line("nothing was committed: the branch stays as it is")
        return Pushed(None)
    pack = await asyncio.to_thread(_own_copy, folder)
    if pack is not None:
        await host.code.take_pack(project.id, pack, new)
    elif not await host.code.holds(project.id, new, cloned.commit):
        raise SourceOperationFailed(
            f"the operation left the branch at {new[:8]}, which nobody has", hint="see what it does to `.git`",
        )
    about = await host.code.about(project.id, new)
    await config_of(project, new, host)   # it may not be what could be deployed: then the branch does not get it
    await host.code.move_branch(project, deployment.branch, new, cloned.commit)
    where = "the forge" if project.remote is not None else "the repository"
    tell.line(f"{new[:8]} {about.subject} ({about.author}): {deployment.branch} of {where} is there now")
    return Pushed(new)


async def clear_source(deployment: Deployment, host: Host, tell: Tell) -> None:
    """The clone goes, and what ran."""
    await discard_source(deployment, host, tell)


def deploy_source(
    push: Kind[Any, Any], db: sqlite3.Connection, progress: Progress, now: datetime,
) -> str:
    """What was committed is deployed as any push; in the transaction in which the operation ends.

    Args:
        push: The kind of a push.
    """
    activity = progress.activity
    try:
        made = progress.journal.result("push_source", Pushed)
    except LookupError:
        return ""
    there = environments.find(db, activity.environment)
    if made.commit is None or there is None:
        return ""
    if there.rest == INACTIVE:
        return f"; {made.commit[:8]} is stored: the environment is inactive"
    trigger = Trigger(activity.trigger.who, "api", said=f"source operation {activity.trigger.operation}")
    number = activities.enqueue(db, NewActivity(push, activity.environment, activity.branch, made.commit, trigger), now)
    return f"; activity {number} deploys {made.commit[:8]}"


def refuse_protected(deployment: Deployment) -> None:
    """
    Raises:
        SourceProtected: It is.
    """
    if deployment.is_protected:
        raise protected(deployment.branch, deployment.project.source_of(deployment.branch))


def protected(branch: str, source: str) -> SourceProtected:
    return SourceProtected(
        f"{branch} is protected: it takes commits of {source}, and none that are made in it",
        hint=f"run the operation on {source}, and promote what it makes",
    )


async def _run(
    deployment: Deployment, host: Host, tell: Tell, app: Application, image: str, cloned: Cloned, *, is_first: bool,
) -> None:
    operation = deployment.activity.trigger.operation
    name, folder = _container(deployment, app.name), host.places.build_scripts(deployment.id, app.name)
    texts = _scripts(deployment, app, cloned.commit, is_first=is_first)
    scripts = [
        await asyncio.to_thread(prepare, folder, key, text, group=cloned.uid) for key, text in texts.items()
    ]
    there = await host.engine.container(name)
    goes_on = there is not None
    if there is None:
        await asyncio.to_thread(_make_cache, host.places.cache(deployment.project.id, deployment.zone), cloned.uid)
        await host.engine.ensure_network(build_network(deployment))
        there = await host.engine.ensure_container(
            await _spec(deployment, host, app, image, cloned, name, scripts, folder))
    runner = ScriptRunner(host.engine, name, f"{cloned.uid}:{cloned.uid}")
    titles = {"checkout": "checkout", "operation": f"source operation {operation}", "collect": "what it committed"}
    for script in scripts:
        say = await tell.program(titles[script.name], app=app.name, goes_on=goes_on)
        recent: list[str] = []

        def on_line(text: str, recent: list[str] = recent, say: Any = say) -> None:
            recent.append(text)
            del recent[:-EVIDENCE_LINES]
            say(text)

        status = await runner.follow(script, on_line, limit_seconds=host.settings.build.limit_seconds)
        if status != 0:
            raise SourceOperationFailed(
                f"{titles[script.name]} of {app.name} ended with exit code {status}", evidence=tuple(recent),
                hint="mend the command in the application's file; the branch is as it was",
            )
    await host.engine.wait_until_dead(there)   # nothing writes while what it made is read


def _scripts(deployment: Deployment, app: Application, commit: CommitId, *, is_first: bool) -> dict[str, str]:
    """{name: script}, in order. What changed and was not committed is committed when nothing else was."""
    trigger = deployment.activity.trigger
    message = shlex.quote(f"Source operation {trigger.operation}\n\nRun by {trigger.who}.")
    checkout = f"cd {APP_FOLDER} && git reset --quiet --hard {commit}\n"
    command = app.source_operations[trigger.operation]
    root = shlex.quote(f"{APP_FOLDER}/{app.root}".rstrip("/"))
    collect = f"""\
cd {APP_FOLDER} || exit 1
before=$(cat {OUT_FOLDER}/before) new=$(git rev-parse --verify HEAD) || exit 1
if [ "$new" = "$before" ] && [ -n "$(git status --porcelain)" ]; then
    git add --all && git commit --quiet --no-verify -m {message} || exit 1
    new=$(git rev-parse --verify HEAD)
fi
git log --oneline "$before..$new"
printf '%s\\n' "$new" >{OUT_FOLDER}/commit
rm -f {OUT_FOLDER}/pack
git merge-base --is-ancestor "$new" {commit} ||
    printf '%s\\n^%s\\n' "$new" {commit} | git pack-objects --quiet --revs --thin --stdout >{OUT_FOLDER}/pack
"""
    before = f"git -C {APP_FOLDER} rev-parse --verify HEAD >{OUT_FOLDER}/before || exit 1\n"
    made = {"operation": f"{before}cd {root} && (\n{command}\n)\n", "collect": collect}
    return {"checkout": checkout, **made} if is_first else made


async def _spec(
    deployment: Deployment, host: Host, app: Application, image: str, cloned: Cloned, name: str,
    scripts: list[Script], folder: Path,
) -> ContainerSpec:
    project, user = deployment.project, f"{cloned.uid}:{cloned.uid}"
    owned = f"uid={cloned.uid},gid={cloned.uid}"
    seen = await host.facts.with_variables(
        project, deployment.branch, await host.facts.variables_now(project, deployment.branch))
    tree = await host.code.tree(project.id, cloned.commit, app.root)
    about = About(project.id, await host.facts.entropy(project.id), deployment.environment.name, deployment.branch,
                  deployment.type, tree)
    values = build_environment(app, about, build_variables(seen, app, deployment.branch))
    refuse_too_large(f"the source operation of {app.name}", values, app.place)
    trust = host.settings.build.trust_store == "host" and await asyncio.to_thread(STORE.is_file)
    certificates = dict.fromkeys(VARIABLES, str(STORE)) if trust else {}
    return ContainerSpec(
        name=name, image=image, labels=deployment.names.labels("build", app.name, deployment.id), entrypoint=(),
        command=wrapper_command(*scripts),
        environment=merged_environment(
            {**certificates, **build_paths(app, deployment.environment.name), **IDENTITY}, {**values, **SOURCE}),
        user=user, working_folder=APP_FOLDER, network=Network(build_network(deployment).name),
        binds=(
            Bind(str(_folder(deployment, host) / "app"), APP_FOLDER),
            Bind(str(_folder(deployment, host) / "out"), OUT_FOLDER),
            Bind(str(host.places.cache(project.id, deployment.zone)), CACHE_FOLDER),
            Bind(str(folder), SCRIPTS_FOLDER),
            *identity_binds(await ensure_identity(folder.parent, cloned.uid)),
            *await trust_binds(host.settings.state, STORE if trust else None, runtime_of(app)),
        ),
        tmpfs={
            "/tmp": "rw,exec,nosuid,nodev,size=4g,mode=1777",
            "/run": f"rw,nosuid,nodev,size=64m,{owned}",
            "/home/web": f"rw,exec,nosuid,nodev,size=2g,{owned}",
        },
        memory_bytes=host.settings.build.memory_mb * MEGABYTE, cpus=host.settings.build.cpus,
    )


WHO = {"NAME": "deployd", "EMAIL": "deployd@localhost"}
IDENTITY = {f"GIT_{of}_{what}": text for of in ("AUTHOR", "COMMITTER") for what, text in WHO.items()}
"""Of commits that the command makes, unless the project's variables say another."""
SOURCE = {f"{prefix}SOURCE_DIR": APP_FOLDER for prefix in ("PLATFORM_", "MAGENTO_CLOUD_")}


async def _remove_containers(deployment: Deployment, host: Host) -> None:
    for item in await host.engine.containers(deployment.names.labels("build", activity=deployment.id)):
        await host.engine.ensure_container_gone(item.name, stop_seconds=0)


def _container(deployment: Deployment, app: str) -> str:
    return deployment.names.container(deployment.id, "build", app)


def _folder(deployment: Deployment, host: Host) -> Path:
    return host.places.work(deployment.id) / OWN_FOLDER


def _make_out(folder: Path, owner: int) -> None:
    """The folder into which the commands write what they made: theirs, and below root's."""
    with open_folder(folder, "out", make_for=owner):
        pass


def _make_cache(cache: Path, owner: int) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    with open_folder(cache.parent, cache.name, make_for=owner):
        pass


def _commit_of(folder: Path) -> CommitId | None:
    """What the last command says that the branch is to be at."""
    with open_folder(folder, "out") as out:
        said = read_file(out, "commit", 100) or b""
    return commit_named(said.decode("ascii", "replace").strip())


def _own_copy(folder: Path) -> Path | None:
    """The pack as a file of root's, which nobody changes any more; None: there is none.

    Raises:
        SourceOperationFailed: It is too large.
    """
    copy = folder / "pack"
    with open_folder(folder, "out") as out, copy.open("wb") as file:
        size = 0
        while chunk := read_file(out, "pack", CHUNK_BYTES, offset=size):
            size += len(chunk)
            if size > LARGEST_PACK:
                raise SourceOperationFailed(
                    f"the operation committed more than {LARGEST_PACK // MEGABYTE} MB", hint="push that by hand",
                )
            file.write(chunk)
    return copy if size else None
