"""Whether the settings can be used. What is wrong with them does not end the look: the rest is seen by the defaults."""

from __future__ import annotations

from pathlib import Path

from deployd.activity.secret_forms import is_maskable
from deployd.catalogue import Catalogue, load_catalogue
from deployd.cli.doctor.finding import Finding, doubt, well
from deployd.environment.variables import doubtful_variables
from deployd.errors import DeployError
from deployd.project.offered.services import versions_offered
from deployd.settings import Settings, load_settings

OTHERS = 0o077


def look_at_settings(path: Path) -> tuple[Settings, list[Finding]]:
    """The settings, or the defaults when they cannot be used."""
    try:
        settings = load_settings(path)
    except DeployError as error:
        defaults = doubt("settings", "everything below is seen with the default settings", "mend the settings first")
        return Settings(), [Finding.of("settings", error), defaults]
    there = f"{path}: {_many(len(settings.projects), 'project')}, {_many(len(settings.tokens), 'token')}"
    return settings, [well("settings", there), *_doubts(path, settings)]


def look_at_production(settings: Settings) -> list[Finding]:
    """Whether production of each project takes only what is merged."""
    projects = settings.projects.values()
    open_ones = [item.id for item in projects if item.protection_of(item.production) is None]
    if open_ones:
        hint = "say `protected: true` of its environment in projects.d/NAME.yaml; docs/promotion.md has the whole"
        return [doubt("production", f"of {', '.join(open_ones)} takes any push, merged or not", hint)]
    return [well("production", "takes only what is merged, in every project")] if settings.projects else []


def look_at_catalogue(settings: Settings) -> tuple[Catalogue | None, list[Finding]]:
    try:
        official = versions_offered() if settings.official_images else None
        catalogue = load_catalogue(settings.catalogue_path, official=official)
    except DeployError as error:
        return None, [Finding.of("catalogue", error)]
    runtimes = sum(map(len, catalogue.runtimes.values()))
    services = sum(map(len, catalogue.services.values()))
    return catalogue, [well("catalogue", f"{_many(runtimes, 'runtime')}, {_many(services, 'service')}")]


def _doubts(path: Path, settings: Settings) -> list[Finding]:
    found = []
    if not settings.tokens:
        found.append(doubt("settings", "there is no token: nobody can push over HTTP", "add one under `tokens`"))
    if not settings.projects:
        hint = f"write one to {path.parent / 'projects.d'}/NAME.yaml; an empty file will do"
        found.append(doubt("settings", "there is no project: nothing can be pushed", hint))
    files = [path, *path.parent.glob("projects.d/*.yaml")]
    readable = [file for file in files if file.stat().st_mode & OTHERS]
    if settings.secrets() and readable:
        names = " ".join(map(str, readable))
        found.append(doubt("settings", "others on this host can read the settings, and there are secrets in them",
                           f"chmod 600 {names}"))
    for project in settings.projects.values():
        short = [key for key, value in project.sensitive().items() if not is_maskable(value)]
        found += [
            doubt("settings", f"{key} of {project.id} is too short to be masked in logs", "make it longer")
            for key in short
        ]
        found += [
            doubt("settings", f"{project.id}: {what}", hint.strip())
            for what, _, hint in (text.rpartition(";") for text in doubtful_variables(project))
        ]
    return found


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
