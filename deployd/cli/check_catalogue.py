"""Which catalogue `deployd check` goes by: the operator's where it can be read, else the one that came with deployd."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deployd.catalogue import Catalogue, load_catalogue
from deployd.errors import DeployError
from deployd.project.offered.services import versions_offered
from deployd.release.images_missing import ServiceFallback
from deployd.settings import Settings, config_folder, load_settings

SETTINGS = Path("/etc/deployd/deployd.yaml")


@dataclass(frozen=True, slots=True)
class Known:
    catalogue: Catalogue
    nearest: bool
    """Whether the operator's settings take the nearest version."""
    services: ServiceFallback
    """Which other version of a service they take."""
    whose: str
    """`the catalogue that came with deployd`, `the catalogue /etc/deployd/catalogue.yaml`."""


def known_catalogue(settings_file: Path | None, catalogue_file: Path | None) -> Known:
    """What was named and cannot be used ends the program with a sentence."""
    try:
        settings = load_settings(settings_file) if settings_file else _settings_of_this_host()
        path = catalogue_file or (settings.catalogue if settings else None)
        shipped = config_folder() / "catalogue.yaml"
        whose = "the catalogue that came with deployd" if path in (None, shipped) else f"the catalogue {path}"
        nearest = bool(settings and settings.runtime_fallback == "nearest")
        services = settings.service_fallback if settings else "upwards"
        official = versions_offered() if settings and settings.official_images else None
        catalogue = load_catalogue(path or shipped, official=official)
        return Known(catalogue, nearest, "nearest" if nearest else services, whose)
    except DeployError as error:
        from deployd.cli.command import end  # brings aiohttp

        end(error)


def _settings_of_this_host() -> Settings | None:
    try:
        return load_settings(SETTINGS)
    except DeployError:   # there is no daemon here, or they are not for us
        return None
