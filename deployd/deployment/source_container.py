"""The container in which a source operation runs: what a build gets, around a clone, and the scripts in it."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

from deployd.confined.beneath import open_folder
from deployd.deployment.build import build_network
from deployd.deployment.deployment import Deployment
from deployd.deployment.desired import build_variables
from deployd.engine.script import SCRIPTS_FOLDER, Script
from deployd.engine.script_wrapper import wrapper_command
from deployd.engine.specs import Bind, ContainerSpec, Network
from deployd.engine.trust import STORE
from deployd.environment.platform import APP_FOLDER, CACHE_FOLDER, About, build_environment, merged_environment
from deployd.ids import CommitId
from deployd.project.model import Application
from deployd.release.applications.kernel_limits import refuse_too_large
from deployd.release.identity import ensure_identity, identity_binds
from deployd.release.ports import Host
from deployd.release.trust import VARIABLES, trust_binds
from deployd.runtimes.known import runtime_of
from deployd.runtimes.paths import build_paths
from deployd.units import MEGABYTE

OUT_FOLDER = "/run/deployd/out"
OWN_FOLDER = ".source"
"""No application is called so."""
WHO = {"NAME": "deployd", "EMAIL": "deployd@localhost"}
IDENTITY = {f"GIT_{of}_{what}": text for of in ("AUTHOR", "COMMITTER") for what, text in WHO.items()}
"""Of commits that the command makes, unless the project's variables say another."""
SOURCE = {f"{prefix}SOURCE_DIR": APP_FOLDER for prefix in ("PLATFORM_", "MAGENTO_CLOUD_")}


def scripts_of(deployment: Deployment, app: Application, commit: CommitId, *, is_first: bool) -> dict[str, str]:
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


async def container_of(
    deployment: Deployment, host: Host, app: Application, image: str, at: tuple[CommitId, int], scripts: list[Script],
) -> ContainerSpec:
    """
    Args:
        at: (commit that was cloned, number of the user who runs it).
    """
    commit, uid = at
    name, folder = container_name(deployment, app.name), host.places.build_scripts(deployment.id, app.name)
    project, user = deployment.project, f"{uid}:{uid}"
    owned = f"uid={uid},gid={uid}"
    seen = await host.facts.with_variables(
        project, deployment.branch, await host.facts.variables_now(project, deployment.branch))
    tree = await host.code.tree(project.id, commit, app.root)
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
            Bind(str(source_folder(deployment, host) / "app"), APP_FOLDER),
            Bind(str(source_folder(deployment, host) / "out"), OUT_FOLDER),
            Bind(str(host.places.cache(project.id, deployment.zone)), CACHE_FOLDER),
            Bind(str(folder), SCRIPTS_FOLDER),
            *identity_binds(await ensure_identity(folder.parent, uid)),
            *await trust_binds(host.settings.state, STORE if trust else None, runtime_of(app)),
        ),
        tmpfs={
            "/tmp": "rw,exec,nosuid,nodev,size=4g,mode=1777",
            "/run": f"rw,nosuid,nodev,size=64m,{owned}",
            "/home/web": f"rw,exec,nosuid,nodev,size=2g,{owned}",
        },
        memory_bytes=host.settings.build.memory_mb * MEGABYTE, cpus=host.settings.build.cpus,
    )


def container_name(deployment: Deployment, app: str) -> str:
    return deployment.names.container(deployment.id, "build", app)


def source_folder(deployment: Deployment, host: Host) -> Path:
    return host.places.work(deployment.id) / OWN_FOLDER


def make_out(folder: Path, owner: int) -> None:
    """The folder into which the commands write what they made: theirs, and below root's."""
    with open_folder(folder, "out", make_for=owner):
        pass


def make_cache(cache: Path, owner: int) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    with open_folder(cache.parent, cache.name, make_for=owner):
        pass
