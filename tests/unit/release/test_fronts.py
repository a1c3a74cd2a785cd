"""Services before applications: which version they lead to, and what is asked past them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.engine.observed import ExecResult
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId
from deployd.project.reader import read_project
from deployd.release.configuration_refused import ConfigurationRefused
from deployd.release.paths import Places
from deployd.release.release import Release
from deployd.release.services import fronts
from deployd.release.services.trials import Tried, refuse_failing_trials
from deployd.release.version import ServiceVersion, Version
from deployd.settings import ProjectSettings
from tests.doubles.engine import EngineDouble
from tests.doubles.trees import DictTree

VCL = "sub vcl_recv { set req.backend_hint = shop.backend(); }"
SERVICES = "front: {type: 'varnish:7.7', relationships: {shop: 'app:http'}, configuration: {vcl: '%s'}}\n"
NETWORK, FRONT = "deployd-shop-main", "deployd-shop-main-front"


class Engine(EngineDouble):
    """Keeps what was run in containers, and answers it."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[tuple[str, str, bytes]] = []
        self.said: tuple[int, str] = (0, "")

    async def execute(self, name: str, argv: Any, *_: Any, stdin: bytes | None = None, **__: Any) -> ExecResult:
        self.ran.append((name, argv[3] if len(argv) > 3 else "trial", stdin or b""))
        return ExecResult(self.said[0], b"", self.said[1].encode())


class World:
    def __init__(self, folder: Path) -> None:
        self.vcl = VCL
        self.engine = Engine()
        self.host: Any = SimpleNamespace(
            engine=self.engine, places=Places(folder / "state", folder / "run"), code=SimpleNamespace(read=self._read),
        )

    async def _read(self, *_: Any) -> Any:
        app = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"
        return read_project(DictTree({".platform.app.yaml": app, ".platform/services.yaml": SERVICES % self.vcl}))

    def release(self, number: int) -> Release:
        version = Version(
            ActivityId(number), CommitId("c"), (), (ServiceVersion("front", "varnish:7.7", "sha256:v", "d"),), (),
        )
        environment = EnvironmentId.read("shop/main")
        return Release("deployd", ProjectSettings(id=ProjectId("shop")), environment, "main", version)

    def add_web(self, number: int, address: str) -> None:
        self.engine.add(f"deployd-shop-main-app-web-{number}", address=address, network=NETWORK)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_service_leads_to_a_version_from_its_turn_on_and_back_again(world):
    before, after = world.release(1), world.release(2)
    service = (await fronts.read_config(before, world.host)).services[0]
    world.engine.add(FRONT)
    world.add_web(1, "10.0.0.2")
    assert await fronts.turn_fronts(before, world.host) == ("front",)
    assert await fronts.is_turned(before, world.host, service)
    world.add_web(2, "10.0.0.3")
    await fronts.load_fronts(after, world.host)
    assert await fronts.is_turned(before, world.host, service), "what is loaded is not used"
    assert b"10.0.0.3" in world.engine.ran[-1][2]
    await fronts.turn_fronts(after, world.host)
    assert not await fronts.is_turned(before, world.host, service)
    assert await fronts.is_turned(after, world.host, service)
    await fronts.turn_fronts(before, world.host)
    assert await fronts.is_turned(before, world.host, service)
    assert [kind for _, kind, _ in world.engine.ran] == [
        "deployd-turn", "deployd-load", "deployd-turn", "deployd-turn"]


async def test_one_that_does_not_run_takes_its_text_when_it_starts(world):
    world.add_web(1, "10.0.0.2")
    world.engine.add(FRONT, running=False)
    await fronts.turn_fronts(world.release(1), world.host)
    assert not world.engine.ran
    (bind,) = fronts.folder_bind(world.release(1), world.host, (await world._read()).config.services[0])
    assert "10.0.0.2" in (Path(bind.source) / "default.vcl").read_text()
    assert bind.read_only


async def test_a_text_that_is_there_is_not_replaced_by_a_container_that_is_only_made(world):
    service = (await world._read()).config.services[0]
    await fronts.ensure_front_text(world.release(1), world.host, service)
    world.add_web(2, "10.0.0.3")
    await fronts.ensure_front_text(world.release(2), world.host, service)
    assert not await fronts.is_turned(world.release(2), world.host, service)
    await fronts.lay_out_front(world.release(2), world.host, service)
    assert await fronts.is_turned(world.release(2), world.host, service)


async def test_what_is_refused_is_told_with_its_words(world):
    world.engine.add(FRONT)
    world.engine.said = (106, "Message from VCC-compiler:\nBad thing\n('/x' Line 999 Pos 1)\n")
    with pytest.raises(fronts.FrontNotTurned) as failed:
        await fronts.load_fronts(world.release(1), world.host)
    assert "Bad thing" in failed.value.what


async def test_a_vcl_is_tried_when_it_is_not_the_live_one_and_nothing_of_the_trial_stays(world):
    place, told = world.release(2), SimpleNamespace(line=lambda *_, **__: None)
    config = (await world._read()).config
    tried = Tried(config, place.version, None)
    await refuse_failing_trials(place, ActivityId(2), world.host, tried, told)
    assert [kind for _, kind, _ in world.engine.ran] == ["trial"]
    await refuse_failing_trials(place, ActivityId(2), world.host, Tried(config, place.version, place.version), told)
    assert len(world.engine.ran) == 1, "what is live was tried once"
    world.vcl, world.engine.said = VCL + " ", (2, "Message from VCC-compiler:\nBad thing\n('/x' Line 14 Pos 1)\n")
    with pytest.raises(ConfigurationRefused) as refused:
        await refuse_failing_trials(place, ActivityId(2), world.host, Tried(config, place.version, place.version), told)
    assert "Bad thing" in "\n".join(refused.value.evidence)
    assert not world.engine.there
