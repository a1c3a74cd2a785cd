"""How much of what public projects ask for this host has: the catalogue that comes with deployd against their types.

`docs/conformance.md` has the figures; here they are counted, and the table is shown at the end of a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deployd.catalogue import Catalogue, Entry, load_catalogue
from deployd.project.model import ImageAsked
from deployd.project.offered.services import WITHOUT_CONTAINER, versions_offered
from deployd.project.reader import read_project
from deployd.settings import config_folder
from tests.support.corpus import CORPUS, corpus_projects
from tests.support.shown import SHOWN_AT_THE_END

PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"
CATALOGUE = load_catalogue(config_folder() / "catalogue.yaml")
WITH_OFFICIAL = CATALOGUE.with_official(versions_offered())
NAMES = ("all types", "languages exactly", "all versions exactly", "with `official_images`")
FIGURE = re.compile(rf"^\| ({'|'.join(NAMES)})[^|]*\| (\d+) of (\d+) \|", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """A project, and what of it is not there."""

    name: str
    asked: tuple[ImageAsked, ...]
    missing_types: tuple[str, ...]
    other_versions: tuple[ImageAsked, ...]

    @property
    def languages_exact(self) -> bool:
        return not self.missing_types and all(image.is_service for image in self.other_versions)

    @property
    def exact(self) -> bool:
        return not self.missing_types and not self.other_versions


def rows(catalogue: Catalogue = CATALOGUE) -> list[Row]:
    found = []
    types = catalogue.versions()
    for project in corpus_projects():
        result = read_project(project.tree)
        asked = result.config.images_asked() if result.config is not None else result.images
        of_containers = tuple(image for image in asked if image.name not in WITHOUT_CONTAINER)
        found.append(Row(
            project.name, of_containers,
            tuple(dict.fromkeys(image.name for image in of_containers if image.name not in types)),
            tuple(image for image in of_containers if image.version not in types.get(image.name, (image.version,))),
        ))
    return found


def figures(found: list[Row]) -> dict[str, int]:
    return {
        "all types": sum(not row.missing_types for row in found),
        "languages exactly": sum(row.languages_exact for row in found),
        "all versions exactly": sum(row.exact for row in found),
        "with `official_images`": sum(row.exact for row in rows(WITH_OFFICIAL)),
    }


def test_the_table_of_what_public_projects_ask_for(record_property: Callable[[str, object], None]) -> None:
    found = rows()
    lines = [f"{'project':76} what is not there, or in another version"]
    for row in found:
        other = [f"{image.name}:{image.version}" for image in row.other_versions]
        lines.append(f"{row.name:76} {', '.join([*row.missing_types, *dict.fromkeys(other)]) or '-'}")
    counted = figures(found)
    ends = [f"{number} of {len(found)} with {name}" for name, number in counted.items()]
    record_property(SHOWN_AT_THE_END, "\n".join([*lines, "; ".join(ends)]))
    assert counted["all types"] >= counted["languages exactly"] >= counted["all versions exactly"] > 0


def test_no_figure_of_the_page_is_more_than_what_the_catalogue_has() -> None:
    written = {name: (int(number), int(of)) for name, number, of in FIGURE.findall(PAGE.read_text())}
    assert set(written) == set(NAMES)
    if CORPUS.is_dir():
        found = rows()
        counted = figures(found)
        for name, (number, of) in written.items():
            assert of == len(found)
            assert number <= counted[name], f"{name}: the page says {number}, the catalogue has {counted[name]}"


def test_what_a_row_of_the_catalogue_comes_from_is_a_package_or_a_name_of_a_registry() -> None:
    for name, entry in CATALOGUE.entries():
        if entry.build is not None or entry.suite is not None:
            assert all(below.suite for below in _bottom(CATALOGUE, entry)), f"{name} stands on what a registry has"


def _bottom(catalogue: Catalogue, entry: Entry) -> list[Entry]:
    if entry.build is None:
        return [entry]
    return [last for on in entry.build.below.values() for last in _bottom(catalogue, catalogue.bases[on])]
