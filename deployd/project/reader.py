"""The way from the files of a commit to a `ProjectConfig`, or to all that is wrong with them. Pure.

The order is that of the checks (configuration format 16): files, syntax, shape, each service and application alone,
then all of them together. Nothing stops at the first error; what depends on something broken is not complained about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from deployd.project.application import APPLICATION, Definition, read_application
from deployd.project.applications import find_applications
from deployd.project.crosscheck import (
    check_circles,
    check_counts,
    check_names,
    check_reachable,
    check_runnable,
    check_services_of_services,
    check_unused_services,
)
from deployd.project.files import Files, choose_dialect
from deployd.project.findings import Enough, Findings
from deployd.project.includes import Includes
from deployd.project.magento_env import check_magento_env
from deployd.project.model import Application, Dialect, Place, ProjectConfig, ReadResult, RouteTemplate, Service
from deployd.project.routes import read_routes
from deployd.project.services import read_services
from deployd.project.shape import Field, Fields, under
from deployd.project.targets import Targets
from deployd.project.tree import Tree
from deployd.project.yaml_nodes import Node


def read_project(
    tree: Tree, *, dialect: Dialect | None = None, tolerant: bool = False, runnable: frozenset[str] | None = None,
    there: Mapping[str, Sequence[str]] | None = None,
) -> ReadResult:
    """Read and check every configuration file of a commit.

    Args:
        dialect: The project's setting; None: the spelling that the commit has.
        tolerant: Unknown keys and numbers in quotes are warnings.
        runnable: Types of services that can be started; None: everything that the format knows is accepted.
        there: {runtime or kind of service: versions that the host has}, for advice; None: nobody knows.
    """
    findings = Findings(tolerant, there=there)
    config = None
    with suppress(Enough):
        files = Files(tree, findings)
        config = _read(files, choose_dialect(files, dialect), findings)
        if config is not None and runnable is not None:
            check_runnable(config.services, runnable, findings)
    if config is None or not findings.has_errors():
        return ReadResult(config, findings.all())
    wrong = {finding.place for finding in findings.found if finding.severity == "error"}
    return ReadResult(None, findings.all(), tuple(item for item in config.images_asked() if item.place not in wrong))


def _read(files: Files, dialect: Dialect, findings: Findings) -> ProjectConfig | None:
    includes = Includes(files, findings)
    definitions, complete = find_applications(files, dialect, includes)
    if not definitions and complete:
        _no_application(dialect, findings)
    services_document, services_read = _document(files, dialect, "services.yaml", includes)
    routes_document, _ = _document(files, dialect, "routes.yaml", includes)
    services: dict[str, Service | None] = {}
    if services_document is not None:
        services = dict(read_services(services_document, Field(services_document, "services", findings)))
    names = frozenset(definition.written_name for definition in definitions if definition.written_name)
    targets = Targets(dialect, services, names, complete and services_read)
    applications = [item for definition in definitions if (item := _application(definition, files, targets, findings))]
    routes = _routes(routes_document, files, dialect, definitions, complete, targets, findings)
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
    if not findings.has_errors():
        findings.tell_once()
        check_reachable(applications, findings)
        check_unused_services(applications, sound, routes, findings)
    return ProjectConfig(dialect, tuple(applications), tuple(sound), routes, tuple(files.used))


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


def _routes(
    document: Node | None,
    files: Files,
    dialect: Dialect,
    definitions: list[Definition],
    complete: bool,
    targets: Targets,
    findings: Findings,
) -> tuple[RouteTemplate, ...]:
    if document is not None:
        return read_routes(Field(document, "routes", findings), targets)
    path = f"{dialect.folder}/routes.yaml"
    if path in files.config_paths or not complete:
        return ()
    names = [definition.written_name for definition in definitions]
    if len(names) == 1 and names[0]:
        return (RouteTemplate("https://{default}/", "upstream", names[0], "http", place=Place(path)),)
    if len(names) > 1:
        findings.error(
            "routes-missing",
            Place(path),
            f"there is no routes file, and with {len(names)} applications none can be guessed",
            f'create {path}, for instance with `"https://{{default}}/": '
            f'{{type: upstream, upstream: "{names[0] or "app"}:http"}}`',
        )
    return ()


def _no_application(dialect: Dialect, findings: Findings) -> None:
    findings.error(
        "no-application",
        Place(dialect.app_file),
        "the commit has no application",
        f"create {dialect.app_file}, or {dialect.folder}/applications.yaml for several",
    )
