"""What a deployment offers for approval: what would become live, who wrote it, and how it differs from its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deployd.deployment.deployment import Deployment
from deployd.environment.naming import Source
from deployd.environment.variables import Variables, variables_of
from deployd.git.history import Commits
from deployd.ids import CommitId
from deployd.plan import REASONS, KeyParts, Plan
from deployd.process import ProgramFailed
from deployd.project.model import ProjectConfig
from deployd.promotion.offer import Brief, Offer, Offered, OfferedApp, OfferedService
from deployd.release.configuration import read_config
from deployd.release.ports import Host
from deployd.release.version import Version
from deployd.settings import ProjectSettings

COMMITS_SHOWN = 50
MOST_DIFFERENCES = 100
GONE = "remove"


async def make_offer(deployment: Deployment, host: Host) -> Offer:
    """Of a deployment that is built: it is made of its plan, and of what is live in it and in its source."""
    project, planned = deployment.project, deployment.planned
    source = project.source_of(deployment.branch)
    there = await host.facts.live(Source(project.id, source).environment)
    offered = _offered(deployment.environment.name, planned.version, planned.before, planned.plan, there)
    config = await read_config(deployment.release, host)
    about = await host.code.about(project.id, deployment.commit)
    before = planned.before.commit if planned.before else None
    commits = await _commits(deployment, host, before, deployment.commit)
    gone = await host.code.commits_behind(project.id, deployment.commit, before, 0) if before else None
    return Offer(offered, Brief(
        subject=about.subject, author=about.author,
        commits=tuple((item.commit, item.subject, item.author, item.at) for item in commits.newest),
        count=commits.count, back=gone.count if gone else 0, authors=await _authors(deployment, host, before),
        plan=tuple(planned.plan.lines()),
        slugs=tuple(_slugs(planned.version, planned.before, planned.plan, there, source)),
        differs=tuple(_differences(
            (await _as_seen(host, project, source, there), source),
            (await _as_seen(host, project, deployment.branch, planned.version), deployment.branch),
            config, planned.version, there,
        )),
    ))


async def _as_seen(host: Host, project: ProjectSettings, branch: str, version: Version | None) -> ProjectSettings:
    """A project with the variables of a version, or those that an environment would get now."""
    seen = version.variables if version else await host.facts.variables_now(project, branch)
    return await host.facts.with_variables(project, branch, seen)


async def _commits(deployment: Deployment, host: Host, before: CommitId | None, commit: CommitId) -> Commits:
    found = await host.code.commits_behind(deployment.project.id, before, commit, COMMITS_SHOWN) if before else None
    return found or Commits(0, ())


async def _authors(deployment: Deployment, host: Host, before: CommitId | None) -> tuple[str, ...]:
    try:
        return await host.code.authors_between(deployment.project.id, before, deployment.commit)
    except ProgramFailed:
        if before is None:
            raise
    return await host.code.authors_between(deployment.project.id, None, deployment.commit)   # what is live is not here


def _offered(environment: str, version: Version, before: Version | None, plan: Plan, there: Version | None) -> Offered:
    tested = {app.slug for app in there.apps} if there else set()
    actions = {item.name: item.action for item in plan.services}
    return Offered(
        environment=environment, commit=version.commit, before=before.commit if before else "",
        apps=tuple(
            OfferedApp(app.name, app.slug, app.running, app.image_id, app.slug in tested) for app in version.apps
        ),
        services=(
            *(OfferedService(item.name, item.type, item.digest, item.image_id, actions.get(item.name, ""))
              for item in version.services),
            *(OfferedService(item.name, "", "", "", GONE) for item in plan.services if item.action == GONE),
        ),
        routes=version.routes, deploy_hook=plan.run_deploy_hook, is_rolling=plan.rolling,
    )


def _slugs(
    version: Version, before: Version | None, plan: Plan, there: Version | None, source: str,
) -> Iterator[tuple[str, str, str]]:
    """(application, slug, where it is from)"""
    built = {item.name: item.why for item in plan.apps if item.action == "build"}
    for app in version.apps:
        tested, now = there.app(app.name) if there else None, before.app(app.name) if before else None
        if tested is not None and tested.slug == app.slug:
            where = f"the one that is live on {source}, byte by byte"
        elif now is not None and now.slug == app.slug:
            where = "the one that is live here already"
        else:
            why = _why_another(app.parts, tested.parts) if tested is not None else ""
            where = f"not the one of {source}: {why}" if why else f"built for it ({built.get(app.name, 'before')})"
        yield app.name, app.slug, where


def _why_another(own: KeyParts, tested: KeyParts) -> str:
    return ", ".join(said for name, said in REASONS.items() if getattr(own, name) != getattr(tested, name))


def _differences(
    at_source: tuple[ProjectSettings, str], here: tuple[ProjectSettings, str], config: ProjectConfig, version: Version,
    there: Version | None,
) -> Iterator[str]:
    """Sentences; of variables the names alone.

    Args:
        at_source: (project as the environment sees it, its branch), and so `here`.
    """
    source = at_source[1]
    for app in config.applications:
        for words, building in (("sees", False), ("is built with", True)):
            found = [
                _values(variables_of(app, app.web.instance, project, name, building=building))
                for project, name in (at_source, here)
            ]
            yield from _of_names(f"{app.name} {words} another value of", *found)
    if there is None:
        return
    before, now = {item.name: item for item in there.services}, {item.name: item for item in version.services}
    for name in sorted(before.keys() | now.keys()):
        one, other = before.get(name), now.get(name)
        if one is None or other is None:
            yield f"the service {name} is only {'here' if one is None else f'on {source}'}"
        elif one.digest != other.digest:
            also = f": {one.type} there, {other.type} here" if one.type != other.type else ""
            yield f"the service {name} is set up otherwise than on {source}{also}"
    if there.routes != version.routes:
        yield f"its addresses: {', '.join(version.routes[:5])} (on {source}: {', '.join(there.routes[:5])})"


def _values(variables: Variables) -> Mapping[str, object]:
    return {**variables.environment, **variables.platform}


def _of_names(words: str, there: Mapping[str, object], here: Mapping[str, object]) -> Sequence[str]:
    names = sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name))
    more = f" and {len(names) - MOST_DIFFERENCES} others" if len(names) > MOST_DIFFERENCES else ""
    return [f"{words} {', '.join(names[:MOST_DIFFERENCES])}{more}"] if names else []
