"""One look at everything: what it calls well is well, and what it is not sure of it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.ids import ActivityId
from deployd.release.fingerprint import routes_origin
from deployd.router.table import EnvironmentTraffic, Released, RouterStatus
from deployd.state import rests
from deployd.upkeep.survey import Surveyor
from tests.doubles.engine import EngineDouble
from tests.support.upkeep_stand import BASE, KEY, SHOP, Stand


@dataclass
class Listed:
    """An environment's containers, and a router that says what it was told."""

    stand: Stand
    engine: EngineDouble
    origin: str = ""
    complete: bool = True
    frozen: bool = False
    mounted: bool = True

    def name(self, role: str) -> str:
        return self.stand.names.container(self.stand.version.activity, role, "app")

    def change(self, role: str, **seen: Any) -> None:
        self.engine.there[self.name(role)] = replace(self.engine.there[self.name(role)], **seen)

    async def status(self) -> RouterStatus:
        traffic = EnvironmentTraffic("1", self.frozen, 0, False, 0, Released(), self.origin)
        return RouterStatus(1, 1, self.complete, 1, {"/".join(KEY): traffic}, 0, 0, 0, 0, 0)

    async def all_mounted(self) -> frozenset[str]:
        return frozenset(app.slug for app in self.stand.version.apps) if self.mounted else frozenset()

    def surveyor(self) -> Surveyor:
        host: Any = self.stand.host
        host.engine, host.router, host.slugs = self.engine, self, self
        return Surveyor(self.stand.store, host)  # type: ignore[arg-type]

    async def well(self) -> bool:
        return KEY in (await self.surveyor().survey()).well


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    stand = Stand(tmp_path)
    names, version = stand.names, stand.version
    engine = EngineDouble()
    for role in ("app", "web"):
        labels = names.labels(role, "app", version.activity)
        engine.add(names.container(version.activity, role, "app"), labels, network=names.network)
    settings, there = stand.host.settings, engine.there.values()
    return Listed(stand, engine, routes_origin(settings, settings.projects[SHOP], version, there, names.network))


async def test_what_runs_and_is_known_to_the_router_is_well(listed: Listed) -> None:
    assert await listed.well()
    assert listed.engine.asked == ["list"]


def ended(listed: Listed) -> None:
    listed.engine.end(listed.name("app"))


def moved(listed: Listed) -> None:
    listed.change("web", addresses={listed.stand.names.network: "10.0.0.9"})


def gone(listed: Listed) -> None:
    del listed.engine.there[listed.name("app")]


def sick(listed: Listed) -> None:
    listed.change("app", health="unhealthy")


def of_another_version(listed: Listed) -> None:
    listed.change("app", labels=listed.stand.names.labels("app", "app", ActivityId(99)))


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
        routes_origin(one, one.projects[SHOP], version, listed.engine.there.values(), network)
        for one in (settings, settings.model_copy(update={"domain": "other.example"}))
    }
    other = replace(version, activity=ActivityId(7))
    origins.add(routes_origin(settings, settings.projects[SHOP], other, listed.engine.there.values(), network))
    assert len(origins) == 3


async def test_a_survey_reads_a_version_once(listed: Listed) -> None:
    surveyor = listed.surveyor()
    assert KEY in (await surveyor.survey()).well
    listed.stand.store.db.execute("UPDATE versions SET version = 'not read again'")
    assert KEY in (await surveyor.survey()).well


async def untold(listed: Listed, *, asleep: bool, origin: str | None = None) -> bool:
    """Whether a paused environment is one of which the router has to be told."""
    settings, version, names = listed.stand.host.settings, listed.stand.version, listed.stand.names
    told = routes_origin(settings, settings.projects[SHOP], version, (), names.network) if origin is None else origin
    traffic = EnvironmentTraffic("1", False, 0, False, 0, Released(), told, asleep)

    async def status() -> RouterStatus:
        return RouterStatus(1, 1, True, 1, {"/".join(KEY): traffic}, 0, 0, 0, 0, 0)

    surveyor = listed.surveyor()
    surveyor.host.router = SimpleNamespace(status=status)  # type: ignore[misc]
    survey = await surveyor.survey()
    assert (survey.live, survey.well) == (frozenset(), {})
    return KEY in survey.untold


async def test_the_router_is_told_of_what_is_paused_when_it_does_not_know_it_as_it_is(listed: Listed) -> None:
    rests.put(listed.stand.store.db, KEY, "paused", BASE)
    assert not await untold(listed, asleep=True)
    assert not await untold(listed, asleep=True, origin="")   # a route leads to a host outside
    assert await untold(listed, asleep=False)
    assert await untold(listed, asleep=True, origin="of other settings")
    listed.stand.enqueue("wake")
    assert not await untold(listed, asleep=False), "an activity is at work there"


async def test_what_the_router_takes_for_asleep_is_not_well(listed: Listed) -> None:
    traffic = EnvironmentTraffic("1", False, 0, False, 0, Released(), listed.origin, asleep=True)

    async def status() -> RouterStatus:
        return RouterStatus(1, 1, True, 1, {"/".join(KEY): traffic}, 0, 0, 0, 0, 0)

    surveyor = listed.surveyor()
    surveyor.host.router = SimpleNamespace(status=status)  # type: ignore[misc]
    assert KEY not in (await surveyor.survey()).well
