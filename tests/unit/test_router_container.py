"""How the router's container comes to run: started, reloaded only after a test, or left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from deployd.engine.specs import ContainerSpec
from deployd.router.container import ensure_router, router_container
from deployd.router.files import RouterNotConfigured, write_router_files
from deployd.router.places import RouterPlaces
from deployd.router.render_nginx import RouterConfig

SOURCE = Path(__file__).parents[2] / "config" / "router"
NOWHERE = PurePosixPath("/")


@dataclass
class There:
    labels: Mapping[str, str]
    running: bool = True


@dataclass
class Ran:
    status: int
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass
class Engine:
    there: There | None = None
    status: int = 0
    did: list[str] = field(default_factory=list)

    async def container(self, name: str, /) -> There | None:
        return self.there

    async def ensure_container(self, spec: ContainerSpec, /) -> object:
        self.did.append("start")
        self.there = There(spec.labels)
        return None

    async def ensure_container_gone(self, name: str, *, stop_seconds: int) -> None:
        self.did.append("remove")

    async def execute(self, name: str, command: Sequence[str], /) -> Ran:
        self.did.append("test" if "-t" in command else "reload")
        return Ran(self.status, stderr=b"nginx: [emerg] no such thing")


def config(port: int = 8080) -> RouterConfig:
    return RouterConfig(NOWHERE, NOWHERE, NOWHERE, http_port=port)


def spec(places: RouterPlaces, image_id: str = "one") -> ContainerSpec:
    return router_container("deployd", "deployd/router:1", image_id, places)


async def test_a_router_is_started_once_and_reloaded_after_a_test(tmp_path: Path) -> None:
    places, engine = RouterPlaces(tmp_path), Engine()
    assert await ensure_router(engine, spec(places), SOURCE, places, config())
    assert not await ensure_router(engine, spec(places), SOURCE, places, config())
    assert engine.did == ["start"]
    assert not await ensure_router(engine, spec(places), SOURCE, places, config(8081))
    assert engine.did == ["start", "test", "reload"]
    assert ":8081 " in (places.current / "nginx.conf").read_text()


async def test_a_wrong_configuration_is_never_used(tmp_path: Path) -> None:
    places, engine = RouterPlaces(tmp_path), Engine()
    await ensure_router(engine, spec(places), SOURCE, places, config())
    engine.status = 1
    with pytest.raises(RouterNotConfigured) as caught:
        await ensure_router(engine, spec(places), SOURCE, places, config(8081))
    assert "no such thing" in caught.value.evidence[0]
    assert engine.did == ["start", "test"]
    assert ":8080 " in (places.current / "nginx.conf").read_text()


async def test_a_new_image_or_a_stopped_container_replaces_the_router(tmp_path: Path) -> None:
    places, engine = RouterPlaces(tmp_path), Engine()
    await ensure_router(engine, spec(places), SOURCE, places, config())
    assert await ensure_router(engine, spec(places, "two"), SOURCE, places, config())
    assert engine.there is not None
    engine.there.running = False
    assert await ensure_router(engine, spec(places, "two"), SOURCE, places, config())
    assert engine.did == ["start", "remove", "start", "remove", "start"]


def test_the_container_sees_its_own_folder_and_has_few_rights(tmp_path: Path) -> None:
    found = router_container("deployd", "image", "id", RouterPlaces(Path("/run/deployd")), Path("/certs"))
    assert [(bind.source, bind.read_only) for bind in found.binds] == [("/run/deployd/router", False), ("/certs", True)]
    assert found.network == "host"
    assert found.read_only_root
    assert set(found.capabilities) == {"CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"}
    assert found.restart == "unless-stopped"


def test_a_socket_path_that_the_kernel_would_not_take_is_told(tmp_path: Path) -> None:
    places = RouterPlaces(tmp_path / ("x" * 100))
    with pytest.raises(RouterNotConfigured, match="longer than 107 bytes"):
        write_router_files(SOURCE, places, config())


def test_only_root_may_reach_the_control_socket(tmp_path: Path) -> None:
    places = RouterPlaces(tmp_path)
    write_router_files(SOURCE, places, config())
    assert places.control.stat().st_mode & 0o777 == 0o700
