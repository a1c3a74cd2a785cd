"""The generated parts of docs/configuration.md: keys, what is not honoured, types, codes. Pure.

A test compares them with the file, so that neither can change without the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from deployd.project.application.build import BUILD, CACHE, HOOKS
from deployd.project.application.commands import COMMANDS
from deployd.project.application.crons import COMMANDS as CRON_COMMANDS
from deployd.project.application.crons import CRON
from deployd.project.application.definition import APPLICATION, SOURCE
from deployd.project.application.instance import INSTANCE_KEYS
from deployd.project.application.locations import BUFFERING, LOCATION, RULE
from deployd.project.application.mounts import MOUNT
from deployd.project.application.operations import OPERATION, OPERATION_COMMANDS, PREFLIGHT, SOURCE_OPERATION
from deployd.project.application.relationships import RELATIONSHIP
from deployd.project.application.runtime import EXTENSION, RUNTIME, SIZING, XDEBUG
from deployd.project.application.stack import STACK
from deployd.project.application.web import UPSTREAM, WEB
from deployd.project.application.workers import COMMANDS as WORKER_COMMANDS
from deployd.project.application.workers import WORKER
from deployd.project.checks import CHECKS, SMOKE
from deployd.project.checks import DOCUMENT as CHECKS_DOCUMENT
from deployd.project.container.firewall import FIREWALL
from deployd.project.container.firewall import RULE as FIREWALL_RULE
from deployd.project.container.resources import RESOURCES
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.codes import CODES
from deployd.project.offered.runtimes import VERSIONS
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.offered.versions import Versions
from deployd.project.routes.definitions import ROUTE
from deployd.project.routes.redirects import REDIRECT, REDIRECTS
from deployd.project.routes.settings import CACHE as ROUTE_CACHE
from deployd.project.routes.settings import HSTS, SSI, STICKY, TLS
from deployd.project.services.definitions import SERVICE
from deployd.project.services.kinds import KINDS
from deployd.project.tree.includes import INCLUDE
from deployd.project.tree.merged_document import DOCUMENT


def _of_kinds() -> list[Table]:
    """Keys of `configuration`, each table once."""
    found: list[Table] = []
    for kind in KINDS.values():
        found += [table for table in (kind.configuration, *kind.inner) if table not in found]
    return found


SECTIONS: tuple[tuple[str, tuple[Table, ...]], ...] = (
    ("Upsun's one document", (DOCUMENT,)),
    (
        "The application",
        (
            APPLICATION,
            STACK,
            SOURCE,
            SOURCE_OPERATION,
            RELATIONSHIP,
            MOUNT,
            RESOURCES,
            FIREWALL,
            FIREWALL_RULE,
            BUILD,
            CACHE,
            HOOKS,
            RUNTIME,
            SIZING,
            XDEBUG,
            EXTENSION,
            CRON,
            CRON_COMMANDS,
            OPERATION,
            OPERATION_COMMANDS,
            PREFLIGHT,
        ),
    ),
    ("`web` and `workers`", (WEB, COMMANDS, UPSTREAM, LOCATION, RULE, BUFFERING, WORKER, WORKER_COMMANDS)),
    (
        "Services",
        (
            SERVICE,
            *_of_kinds(),
        ),
    ),
    ("Routes", (ROUTE, REDIRECTS, REDIRECT, ROUTE_CACHE, SSI, STICKY, TLS, HSTS)),
    ("Includes", (INCLUDE,)),
    ("`.deployd.yaml`", (CHECKS_DOCUMENT, CHECKS, SMOKE)),
)
_SHARED = {key.name for key in INSTANCE_KEYS}
_NOT_ALL = {
    "warned": "accepted with a warning",
    "once": "accepted, with one warning for the project",
    "refused": "**refused**",
}


def render_keys() -> str:
    """A table of every key, one for each kind of mapping."""
    lines: list[str] = []
    for title, tables in SECTIONS:
        lines += [f"### {title}", ""]
        for table in tables:
            lines += [f"#### {_heading(table)}", "", "| key | value | default | |", "|---|---|---|---|"]
            lines += [_row(key) for key in table.keys if not (table in (WEB, WORKER) and key.name in _SHARED)]
            if table in (WEB, WORKER):
                lines.append(
                    f"| {', '.join(f'`{key.name}`' for key in INSTANCE_KEYS)} | | as in the application | "
                    "replaces the application's whole value |"
                )
            lines.append("")
    return "\n".join(lines)


def render_not_honoured() -> str:
    """Every key that does not do all that it does on the hosted platforms, with the reason."""
    lines = ["| where | key | | why |", "|---|---|---|---|"]
    for table, key in _all_keys():
        if key.treatment in _NOT_ALL:
            why = key.about + (f"; {key.hint}" if key.hint else "")
            lines.append(f"| {_heading(table)} | `{key.name}` | {_NOT_ALL[key.treatment]} | {_cell(why)} |")
    return "\n".join(lines) + "\n"


def render_types() -> str:
    """Runtimes and service types with all their versions."""
    lines = ["| runtime | versions | retired, with a warning |", "|---|---|---|"]
    lines += [f"| `{name}` | {_versions(known)} |" for name, known in VERSIONS.items()]
    lines += [
        "",
        "| service | endpoints | least `disk` | versions | retired, with a warning |",
        "|---|---|---|---|---|",
    ]
    for name, known in SERVICE_TYPES.items():
        endpoints = ", ".join(f"`{item}`" for item in known.endpoints) or "none by itself"
        disk = "no disk" if known.least_disk_mb is None else str(known.least_disk_mb)
        alias = f" (the same as `{known.means}`)" if known.means else ""
        lines.append(f"| `{name}`{alias} | {endpoints} | {disk} | {_versions(known.versions)} |")
    return "\n".join(lines) + "\n"


def render_codes() -> str:
    """Every code of a finding."""
    return (
        "\n".join(["| code | meaning |", "|---|---|", *(f"| `{code}` | {text} |" for code, text in CODES.items())])
        + "\n"
    )


GENERATED: dict[str, Callable[[], str]] = {
    "not honoured": render_not_honoured,
    "keys": render_keys,
    "types": render_types,
    "codes": render_codes,
}


def with_generated(text: str) -> str:
    """A document with everything between `<!-- generated: name -->` and `<!-- end -->` made anew."""
    for name, render in GENERATED.items():
        begin, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
        head, found, rest = text.partition(begin)
        if found:
            text = f"{head}{begin}\n{render().rstrip()}\n\n{end}{rest.partition(end)[2]}"
    return text


def _all_keys() -> Iterator[tuple[Table, Key]]:
    for _, tables in SECTIONS:
        for table in tables:
            for key in table.keys:
                if not (table in (WEB, WORKER) and key.name in _SHARED):
                    yield table, key


def _heading(table: Table) -> str:
    return table.name if " " in table.name or table.name in ("application", "service", "route") else f"`{table.name}`"


def _row(key: Key) -> str:
    about = key.about
    if key.treatment in _NOT_ALL:
        about = f"{_NOT_ALL[key.treatment]}: {about}"
    return f"| `{key.name}` | {_cell(key.type)} | {_cell(key.default)} | {_cell(about)} |"


def _versions(known: Versions) -> str:
    return f"{' '.join(known.supported)} | {' '.join(known.retired)}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
