"""One look at everything: what it calls well is well, and what it is not sure of it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from deployd.engine.names import ACTIVITY
from deployd.engine.observed import ContainerSeen
from deployd.ids import ActivityId
from deployd.release.fingerprint import routes_origin
from deployd.router.table import EnvironmentTraffic, Released, RouterStatus
from deployd.upkeep.survey import Surveyor
from tests.support.upkeep_stand import KEY, SHOP, Stand


@dataclass
class Listed:
    """Docker's list, and a router that says what it was told."""

    stand: Stand
    there: list[ContainerSeen]
    origin: str = ""
    complete: bool = True
    frozen: bool = False
    mounted: bool = True
    asked: list[str] = field(default_factory=list)

    async def containers(self, labels: dict[str, str]) -> tuple[ContainerSeen, ...]:
        self.asked.append("containers")
        return tuple(self.there)

    async def status(self) -> RouterStatus:
        traffic = EnvironmentTraffic("1", self.frozen, 0, False, 0, Released(), self.origin)
        return RouterStatus(1, 1, self.complete, 1, {"/".join(KEY): traffic}, 0, 0, 0, 0, 0)

    async def all_mounted(self) -> frozenset[str]:
        return frozenset(app.slug for app in self.stand.version.apps) if self.mounted else frozenset()

    def surveyor(self) -> Surveyor:
        host: Any = self.stand.host
        host.engine, host.router, host.slugs = self, self, self
        return Surveyor(self.stand.store, host)  # type: ignore[arg-type]

    async def well(self) -> bool:
        return KEY in (await self.surveyor().survey()).well


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    stand = Stand(tmp_path)
    names, version = stand.names, stand.version
    there = [
        ContainerSeen(
            names.container(version.activity, role, "app"), role, "", "", names.labels(role, "app", version.activity),
            True, None, "none", {names.network: "10.0.0.2"} if role == "web" else {},
        ) for role in ("app", "web")
    ]
    settings = stand.host.settings
    return Listed(stand, there, routes_origin(settings, settings.projects[SHOP], version, there, names.network))


async def test_what_runs_and_is_known_to_the_router_is_well(listed: Listed) -> None:
    assert await listed.well()
    assert listed.asked == ["containers"]


def ended(listed: Listed) -> None:
    listed.there[0] = replace(listed.there[0], running=False)


def moved(listed: Listed) -> None:
    listed.there[1] = replace(listed.there[1], addresses={listed.stand.names.network: "10.0.0.9"})


def gone(listed: Listed) -> None:
    del listed.there[0]


def sick(listed: Listed) -> None:
    listed.there[0] = replace(listed.there[0], health="unhealthy")


def of_another_version(listed: Listed) -> None:
    labels = {**listed.there[0].labels, ACTIVITY: "99"}
    listed.there[0] = replace(listed.there[0], labels=labels)


def busy(listed: Listed) -> None:
    listed.stand.deploy()


def another_version_is_live(listed: Listed) -> None:
    listed.stand.become(listed.stand.app)


@pytest.mark.parametrize("amiss", [ended, moved, gone, sick, of_another_version, busy, another_version_is_live])
async def test_what_is_amiss_is_not_called_well(listed: Listed, amiss: Callable[[Listed], None]) -> None:
    amiss(listed)
    assert not await listed.well()
    assert (await listed.surveyor().survey()).live == {KEY}


@pytest.mark.parametrize("known", [
    {"origin": ""}, {"origin": "of other settings"}, {"complete": False}, {"frozen": True}, {"mounted": False},
], ids=str)
async def test_what_the_router_or_the_kernel_does_not_confirm_is_not_called_well(
    listed: Listed, known: dict[str, Any],
) -> None:
    for name, value in known.items():
        setattr(listed, name, value)
    assert not await listed.well()


async def test_other_settings_make_other_routes(listed: Listed) -> None:
    settings, version = listed.stand.host.settings, listed.stand.version
    network = listed.stand.names.network
    origins = {
        routes_origin(one, one.projects[SHOP], version, listed.there, network)
        for one in (settings, settings.model_copy(update={"domain": "other.example"}))
    }
    other = replace(version, activity=ActivityId(7))
    origins.add(routes_origin(settings, settings.projects[SHOP], other, listed.there, network))
    assert len(origins) == 3


async def test_a_survey_reads_a_version_once(listed: Listed) -> None:
    surveyor = listed.surveyor()
    assert KEY in (await surveyor.survey()).well
    listed.stand.store.db.execute("UPDATE versions SET version = 'not read again'")
    assert KEY in (await surveyor.survey()).well
