"""What `deployd check` finds beside the files themselves: what the host has not, and what no host could start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from deployd.catalogue import Catalogue
from deployd.errors import DeployError
from deployd.ids import ProjectId
from deployd.project.model import Finding, Place, ReadResult
from deployd.project.tree.tree import Tree
from deployd.release.applications.kernel_limits import too_large_to_start
from deployd.release.images_missing import ServiceFallback, images_missing
from deployd.settings import ProjectSettings

ANY_PROJECT = ProjectSettings(id=ProjectId("project"))


@dataclass(frozen=True, slots=True)
class OfHost:
    findings: tuple[Finding, ...]
    cannot_run: tuple[str, ...]
    """`python:3.8`: what the catalogue has not."""
    too_large: bool


def host_findings(
    result: ReadResult, tree: Tree, catalogue: Catalogue, *, nearest: bool, services: ServiceFallback,
) -> OfHost:
    images = result.images if result.config is None else result.config.images_asked()
    refusals, warnings = images_missing(
        catalogue, images, nearest=nearest, services=services, today=datetime.now(UTC).date(),
    )
    large = too_large_to_start(result.config, ANY_PROJECT, ANY_PROJECT.production) if result.config else []
    placed = [*((refusal.error, refusal.place) for refusal in refusals), *((error, error.place) for error in large)]
    return OfHost(
        (
            *(_finding(error, place, tree) for error, place in placed),
            *(Finding("warning", "version-not-there", Place(""), warning) for warning in warnings),
        ),
        tuple(refusal.name for refusal in refusals), bool(large),
    )


def _finding(error: DeployError, place: Place, tree: Tree) -> Finding:
    try:
        lines = tree.read(place.file).decode(errors="replace").splitlines() if place.line else []
    except OSError:
        lines = []
    excerpt = lines[place.line - 1] if place.line <= len(lines) else ""
    return Finding("error", error.code, place, error.what, error.hint, excerpt=excerpt)
