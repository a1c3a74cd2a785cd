"""The way from the files of a commit to a `ProjectConfig`, or to all that is wrong with them. Pure.

The order is that of the checks (configuration format 16): files, syntax, shape, each service and application alone,
then all of them together. Nothing stops at the first error; what depends on something broken is not complained about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from deployd.project.application.definition import APPLICATION, read_application
from deployd.project.application.find import Definition, find_applications, listed_applications
from deployd.project.application.magento_env import check_magento_env
from deployd.project.checks import read_own_file
from deployd.project.consistency.circles import check_circles
from deployd.project.consistency.counts import check_counts
from deployd.project.consistency.names import check_names
from deployd.project.consistency.services import check_runnable, check_services_of_services
from deployd.project.consistency.unused import check_reachable, check_unused_services
from deployd.project.fields.fields import Field, Fields, under
from deployd.project.findings.findings import Enough, Findings
from deployd.project.model.application import Application
from deployd.project.model.dialect import Dialect
from deployd.project.model.place import Place
from deployd.project.model.project import ProjectConfig, ReadResult
from deployd.project.model.routes import RouteTemplate
from deployd.project.model.service import Service
from deployd.project.relationship_targets import Targets
from deployd.project.routes.definitions import read_routes
from deployd.project.services.definitions import read_services
from deployd.project.tree.files import Files, choose_dialect
from deployd.project.tree.includes import Includes
from deployd.project.tree.lfs import check_lfs
from deployd.project.tree.merged_document import read_merged
from deployd.project.tree.tree import Tree
from deployd.project.yaml.nodes import Node


def read_project(
    tree: Tree, *, dialect: Dialect | None = None, tolerant: bool = False, runnable: frozenset[str] | None = None,
    there: Mapping[str, Sequence[str]] | None = None, lfs: bool = False,
) -> ReadResult:
    """Read and check every configuration file of a commit.

    Args:
        dialect: The project's setting; None: the spelling that the commit has.
        tolerant: Unknown keys and numbers in quotes are warnings.
        runnable: Types of services that can be started; None: everything that the format knows is accepted.
        there: {runtime or kind of service: versions that the host has}, for advice; None: nobody knows.
        lfs: Builds get what pointers of Git LFS stand for, so nothing is said of them.
    """
    findings = Findings(tolerant, there=there)
    config = None
    with suppress(Enough):
        files = Files(tree, findings)
        config = _read(files, choose_dialect(files, dialect), findings)
        if config is not None and runnable is not None:
            check_runnable(config.services, runnable, findings)
        if not lfs:
            check_lfs(files)
    if config is None or not findings.has_errors():
        return ReadResult(config, findings.all())
    wrong = {finding.place for finding in findings.found if finding.severity == "error"}
    return ReadResult(None, findings.all(), tuple(item for item in config.images_asked() if item.place not in wrong))


@dataclass(frozen=True, slots=True)
class _Documents:
    """What the files of a dialect say, tags resolved; None where no file says it."""

    definitions: list[Definition]
    services: Node | None
    routes: Node | None
    complete: bool
    """Whether every application could be read."""
    services_read: bool
    routes_written: bool


def _read(files: Files, dialect: Dialect, findings: Findings) -> ProjectConfig | None:
    includes = Includes(files, findings)
    documents = (_merged if dialect.is_merged else _separate)(files, dialect, includes)
    definitions, complete = documents.definitions, documents.complete
    if not definitions and complete:
        _no_application(dialect, findings)
    services: dict[str, Service | None] = {}
    if documents.services is not None:
        field = Field(documents.services, "services", findings)
        services = dict(read_services(documents.services, field, disk_needed=dialect.sizes_disks))
    names = frozenset(definition.written_name for definition in definitions if definition.written_name)
    targets = Targets(dialect, services, names, complete and documents.services_read)
    applications = [item for definition in definitions if (item := _application(definition, files, targets, findings))]
    routes = _routes(documents, targets, findings)
    sound = [service for service in services.values() if service is not None]
    check_names(
        [
            *((d.written_name, d.name.place, "application") for d in definitions if d.name and d.written_name),
            *((service.name, service.place, "service") for service in sound),
        ],
        findings,
    )
    check_services_of_services(sound, names, targets.complete, findings)
    check_circles(applications, sound, findings)
    check_counts(applications, findings)
    check_magento_env(tuple(applications), files)
    checks, instances = read_own_file(
        files, applications, complete=complete and len(applications) == len(definitions),
    )
    if not findings.has_errors():
        findings.tell_once()
        check_reachable(applications, findings)
        check_unused_services(applications, sound, routes, findings)
    return ProjectConfig(dialect, tuple(applications), tuple(sound), routes, tuple(files.used), checks, instances)


def _merged(files: Files, dialect: Dialect, includes: Includes) -> _Documents:
    merged, bases = read_merged(files, dialect, includes), (dialect.folder, "")
    applications = merged.get("applications")
    definitions, sound = (
        ([], True) if applications is None else listed_applications(applications, ("", dialect.folder), includes, files)
    )
    services, routes = (
        part and includes.resolve(part, bases) for part in (merged.get("services"), merged.get("routes"))
    )
    complete = sound and merged.complete
    return _Documents(definitions, services, routes, complete, merged.complete, routes is not None)


def _separate(files: Files, dialect: Dialect, includes: Includes) -> _Documents:
    definitions, complete = find_applications(files, dialect, includes)
    services, services_read = _document(files, dialect, "services.yaml", includes)
    routes, _ = _document(files, dialect, "routes.yaml", includes)
    written = dialect.file_of("routes") in files.config_paths
    return _Documents(definitions, services, routes, complete, services_read, written)


def _document(files: Files, dialect: Dialect, name: str, includes: Includes) -> tuple[Node | None, bool]:
    """A document of the configuration folder with its tags resolved, and whether there was no error."""
    path = files.folder_file(dialect, name)
    if path is None:
        return None, True
    document = files.document(path)
    return (None, False) if document is None else (includes.resolve(document, (dialect.folder,)), True)


def _application(definition: Definition, files: Files, targets: Targets, findings: Findings) -> Application | None:
    key = under("applications", definition.written_name or definition.label)
    fields = Fields(definition.node, key, findings, APPLICATION)
    return read_application(definition, fields, files, targets)


def _routes(documents: _Documents, targets: Targets, findings: Findings) -> tuple[RouteTemplate, ...]:
    if documents.routes is not None:
        return read_routes(Field(documents.routes, "routes", findings), targets)
    if documents.routes_written or not documents.complete:
        return ()
    path = targets.dialect.file_of("routes")
    names = [definition.written_name for definition in documents.definitions]
    if len(names) == 1 and names[0]:
        return (RouteTemplate("https://{default}/", "upstream", names[0], "http", place=Place(path)),)
    if len(names) > 1:
        where = "below `routes` in" if targets.dialect.is_merged else "in a new file"
        findings.error(
            "routes-missing",
            Place(path),
            f"there are no routes, and with {len(names)} applications none can be guessed",
            f'write them {where} {path}, for instance `"https://{{default}}/": '
            f'{{type: upstream, upstream: "{names[0] or "app"}:http"}}`',
        )
    return ()


def _no_application(dialect: Dialect, findings: Findings) -> None:
    hint = f"create {dialect.app_file}, or {dialect.folder}/applications.yaml for several"
    if dialect.is_merged:
        hint = f"write `applications: {{app: {{type: …}}}}` in {dialect.file_of('applications')}"
    place = Place(dialect.app_file or dialect.file_of("applications"))
    findings.error("no-application", place, "the commit has no application", hint)
