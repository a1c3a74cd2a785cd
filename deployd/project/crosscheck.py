"""What only shows when all files are seen together: circles, and things that nobody uses. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deployd.project.findings.findings import Findings
from deployd.project.findings.spelling import listed, nearest, shown
from deployd.project.model import Application, Place, Relationship, RouteTemplate, Service
from deployd.project.offered.runtimes import runtime_type

MOST_MOUNTS = 300
"""In all instances together. Each is a mount of the host for each version, and the kernel has 100,000 for all."""
MOST_WORKERS = 100
"""In all applications together: each is a container."""
MOST_CRONS = 300
"""In all applications together: all that are due in the same minute are begun in one turn of the loop."""
MOST_RELATIONSHIPS = 1_000
"""In all instances together: Docker is asked for each of them, at each deployment."""


def check_counts(applications: Sequence[Application], findings: Findings) -> None:
    """What each instance or application has of its own, and all of them together take from the host."""
    mounts = [mount for application in applications for mount in application.all_mounts()]
    if len(mounts) > MOST_MOUNTS:
        findings.error(
            "too-many-mounts", mounts[MOST_MOUNTS].place,
            f"there are {len(mounts):,} mounts, those that workers take over included, and {MOST_MOUNTS} may be",
            "mount a folder that has the others in it, or write `mounts: {}` for workers that need none",
        )
    workers = [worker for application in applications for worker in application.workers]
    if len(workers) > MOST_WORKERS:
        findings.error(
            "too-many-workers", workers[MOST_WORKERS].place,
            f"there are {len(workers):,} workers, at most {MOST_WORKERS} are allowed", "use fewer",
        )
    crons = [cron for application in applications for cron in application.crons]
    if len(crons) > MOST_CRONS:
        findings.error(
            "too-many-crons", crons[MOST_CRONS].place,
            f"there are {len(crons):,} crons, at most {MOST_CRONS} are allowed",
            "let one cron start what is due at the same time",
        )
    instances = [application.web.instance for application in applications] + [item.instance for item in workers]
    relationships = [relationship for instance in instances for relationship in instance.relationships]
    if len(relationships) > MOST_RELATIONSHIPS:
        findings.error(
            "too-many-relationships", relationships[MOST_RELATIONSHIPS].place,
            f"there are {len(relationships):,} relationships, those that workers take over included, and"
            f" {MOST_RELATIONSHIPS:,} may be",
            "use fewer, or write `relationships: {}` for workers that need none",
        )


def check_circles(applications: Sequence[Application], services: Sequence[Service], findings: Findings) -> None:
    """Applications that wait for each other cannot be started; with a service between them, one side is left out."""
    edges: dict[str, list[Relationship]] = {}
    for application in applications:
        instances = (application.web.instance, *(worker.instance for worker in application.workers))
        edges[application.name] = [relationship for instance in instances for relationship in instance.relationships]
    for service in services:
        edges[service.name] = list(service.relationships)
    names = frozenset(service.name for service in services)
    done: set[str] = set()
    for start in edges:
        _walk(start, edges, [], done, names, findings)


def _walk(
    name: str,
    edges: Mapping[str, list[Relationship]],
    trail: list[str],
    done: set[str],
    services: frozenset[str],
    findings: Findings,
) -> None:
    if name in done:
        return
    trail = [*trail, name]
    for relationship in edges.get(name, []):
        if relationship.target in trail:
            circle = [*trail[trail.index(relationship.target) :], relationship.target]
            _tell_circle(circle, relationship, services, findings)
        elif relationship.target not in done:
            _walk(relationship.target, edges, trail, done, services, findings)
    done.add(name)


def _tell_circle(circle: list[str], last: Relationship, services: frozenset[str], findings: Findings) -> None:
    length = len(last.name)
    between = next((name for name in circle if name in services), None)
    if between is None:
        findings.error(
            "circle",
            last.place,
            f"these wait for each other and can never start: {' → '.join(circle)}",
            "remove one of the relationships",
            length=length,
        )
    else:
        findings.warn(
            "circle",
            last.place,
            f"a circle of relationships: {' → '.join(circle)}; `{between}` is started first, without waiting",
            "remove one of the relationships, if that matters",
            length=length,
        )


def check_services_of_services(
    services: Sequence[Service], names: frozenset[str], complete: bool, findings: Findings
) -> None:
    """`relationships` of a service lead to applications."""
    for service in services:
        for relationship in service.relationships:
            if relationship.target not in names and complete:
                near = nearest(relationship.target, names)
                findings.error(
                    "no-such-service",
                    relationship.place,
                    f"there is no application `{shown(relationship.target)}`",
                    _hint(near, names),
                    length=len(relationship.name),
                )
            elif relationship.target in names and relationship.endpoint != "http":
                findings.error(
                    "no-such-endpoint",
                    relationship.place,
                    f"the application `{relationship.target}` has no endpoint "
                    f"`{shown(relationship.endpoint)}`, only `http`",
                    f'write "{relationship.target}:http"',
                    length=len(relationship.name),
                )


def _hint(near: str | None, names: frozenset[str]) -> str:
    if near:
        return f"did you mean `{near}`?"
    return f"the applications are {listed(sorted(names), 'and')}" if names else "there is no application at all"


def check_runnable(services: Sequence[Service], runnable: frozenset[str], findings: Findings) -> None:
    """Types that the format knows and deployd cannot start: a push with one of them can only fail."""
    for service in services:
        if service.kind not in runnable:
            findings.error(
                "not-supported",
                service.type_place,
                f"deployd cannot run a service of type `{service.kind}` yet",
                f"it can run {listed(sorted(runnable), 'and')}",
                key=f"services.{service.name}.type",
                length=len("type"),
            )


def check_unused_services(
    applications: Sequence[Application],
    services: Sequence[Service],
    routes: Sequence[RouteTemplate],
    findings: Findings,
) -> None:
    """A service that nobody relates to runs all the same, and costs memory."""
    used = {route.upstream for route in routes}
    for application in applications:
        for instance in (application.web.instance, *(worker.instance for worker in application.workers)):
            used |= {relationship.target for relationship in instance.relationships}
            used |= {mount.service for mount in instance.mounts}
    for service in services:
        used |= {relationship.target for relationship in service.relationships}
    for service in services:
        if service.name not in used:
            findings.warn(
                "unused-service",
                service.place,
                f"no application uses the service `{service.name}`",
                "it is started all the same: add a relationship, or remove it",
                length=len(service.name),
            )


def check_reachable(applications: Sequence[Application], findings: Findings) -> None:
    """An application without locations and workers does nothing; it is legal, and hardly ever meant."""
    for application in applications:
        if not application.web.locations and not application.workers:
            findings.warn(
                "nothing-served",
                application.place,
                f"nothing of the application `{application.name}` is reachable over HTTP: it has no `web.locations`",
                'add `web: {locations: {"/": {root: …}}}`, or a `workers` block',
                length=len(application.name),
            )
        behind = [location.path for location in application.web.locations if location.passthru is True]
        if behind and starts_nothing(application):
            findings.warn(
                "nothing-served",
                application.web.place,
                f"the location `{shown(behind[0])}` leads to the process of `{application.name}`, and none is started",
                "add `web: {commands: {start: …}}`, or `passthru: false`",
                length=len("web"),
            )


def starts_nothing(application: Application) -> bool:
    """Whether no process of the application's web instance answers anybody."""
    return runtime_type(application.runtime_name).server is None and not application.web.instance.commands.start


def check_names(named: Sequence[tuple[str, Place, str]], findings: Findings) -> None:
    """Applications and services live in one name space.

    Args:
        named: (name, where, "application" or "service")
    """
    first: dict[str, tuple[Place, str]] = {}
    for name, place, noun in named:
        if name in first:
            other_place, other = first[name]
            both = (
                f"two {noun}s are" if noun == other else f"the {other} in {other_place.file} and this {noun} are both"
            )
            findings.error(
                "same-name",
                place,
                f"{both} called `{shown(name)}`",
                "rename one of them",
                length=len(name),
                related=(other_place,),
            )
        else:
            first[name] = (place, noun)
