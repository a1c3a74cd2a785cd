"""How the router comes to run: started, reloaded only after a test, taken over from, or left alone; and interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from deployd.engine.names import DIGEST, PART
from deployd.engine.specs import ContainerSpec
from deployd.errors import DeployError
from deployd.router.control import RouterAbsent
from deployd.router.paths import RouterPlaces
from deployd.router_process.container import WantedRouter
from deployd.router_process.earlier import end_earlier, end_earlier_ones
from deployd.router_process.files import RouterNotConfigured
from deployd.router_process.nginx_conf import RouterConfig
from deployd.router_process.upgrade import RouterNotUpgraded, ensure_router

SOURCE = {
    "nginx.conf.j2": "pid {{ own }};{% if visitors %} listen {{ address }}:{{ http_port }} default_server;{% endif %}",
    "lua/x.lua": "", "pages/x.html": "",
}
"""A configuration that tells apart what these tests tell apart; writing the real one takes a tenth of a second."""
pytestmark = pytest.mark.looptime
ROUTER, EARLIER = "deployd-router", "deployd-router-earlier"


@dataclass
class There:
    labels: Mapping[str, str]
    running: bool = True
    restarts: int = 0
    answers: bool = True
    """Somebody listens at its control socket."""


@dataclass
class Ran:
    status: int
    stdout: bytes = b""
    stderr: bytes = b""


class PowerCut(Exception):
    """The daemon is no more."""


@dataclass
class Host:
    """An Engine and the routers on it, whose control sockets are reached by the links that the daemon has set."""

    run: Path
    there: dict[str, There] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    comes_up: bool = True
    accepts: bool = True
    ports_are_free: bool = True
    at_work: bool = False
    """The workers of the earlier router have something to end."""
    runs: dict[str, str] = field(default_factory=dict)
    """{seat: folder of the configuration that its nginx runs with}"""
    leaving: frozenset[str] = frozenset()
    """Seats whose connections end with their next answer."""
    left: int | None = None
    """Changes until the daemon is no more; None: it lives."""

    @property
    def source(self) -> Path:
        return self.run / "source"

    def _change(self, what: str) -> None:
        if self.left is not None:
            if self.left == 0:
                raise PowerCut
            self.left -= 1
        self.did.append(what)

    async def container(self, name: str, /) -> There | None:
        return self.there.get(name)

    async def ensure_container(self, spec: ContainerSpec, /) -> object:
        if spec.name not in self.there:
            self._change("start")
            self.there[spec.name] = There(spec.labels, answers=self.comes_up)
            self._begin(spec.name)
        return None

    async def ensure_container_gone(self, name: str, /, *, stop_seconds: int) -> None:
        if name in self.there:
            self._change(f"remove {name}")
            del self.there[name]

    async def ensure_renamed(self, name: str, to: str, /) -> None:
        self._change("rename")
        assert to not in self.there
        self.there[to] = self.there.pop(name)

    async def execute(self, name: str, command: Sequence[str], /) -> Ran:
        if "-t" in command:
            self.did.append("test")
            return Ran(0 if self.accepts else 1, stderr=b"nginx: [emerg] no such thing")
        return Ran(0, b"/proc/7/cmdline" if self.at_work else b"")

    async def send_signal(self, name: str, signal: str, /) -> None:
        self._change(f"{signal} {name}")
        if self.ports_are_free:
            self._begin(name)

    def _begin(self, name: str) -> None:
        """nginx reads the configuration that is in use now."""
        seat = self.there[name].labels[PART]
        self.runs[seat] = str(RouterPlaces(self.run, seat).current.resolve())

    async def last_lines(self, name: str, count: int, /) -> tuple[str, ...]:
        return ("nginx: [emerg] cannot",)

    async def status(self, *, environments: bool) -> object:
        served = self.there.get(ROUTER)
        led_to = RouterPlaces(self.run).socket.readlink().name
        if served is None or f"{served.labels[PART]}.sock" != led_to or not served.answers:
            raise RouterAbsent("nobody listens")
        return SimpleNamespace(configuration=self.runs[served.labels[PART]])

    async def leave(self, *, on: bool) -> None:
        places = RouterPlaces(self.run)
        link = places.earlier if on else places.socket
        if link.is_symlink():
            seat = link.readlink().name.partition(".")[0]
            self.leaving = self.leaving | {seat} if on else self.leaving - {seat}

    async def configuration(self, places: RouterPlaces) -> str | None:
        for there in self.there.values():
            if there.labels.get(PART) == places.seat and there.running and there.answers:
                return self.runs[places.seat]
        return None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Host]:
        yield self


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    for name, text in SOURCE.items():
        file = host.source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return host


def wanted(host: Host, image_id: str = "one", port: int = 8080) -> WantedRouter:
    config = RouterConfig(http_port=port)
    return WantedRouter("deployd", "deployd/router:1", image_id, host.run, host.source, config)


async def ensure(host: Host, router: WantedRouter) -> bool:
    return await ensure_router(host, host, router)  # type: ignore[arg-type]


async def end(host: Host, router: WantedRouter) -> bool:
    return await end_earlier(host, host, router)  # type: ignore[arg-type]


def configuration(host: Host, seat: str) -> str:
    return (RouterPlaces(host.run, seat).current / "nginx.conf").read_text()


async def test_a_router_is_started_once_and_reloaded_after_a_test(host: Host) -> None:
    await ensure(host, wanted(host))
    await ensure(host, wanted(host))
    assert host.did == ["start"]
    await ensure(host, wanted(host, port=8081))
    assert host.did == ["start", "test", f"HUP {ROUTER}"]
    assert ":8081 " in configuration(host, "a")


async def test_a_wrong_configuration_is_never_used(host: Host) -> None:
    await ensure(host, wanted(host))
    host.accepts = False
    with pytest.raises(RouterNotConfigured) as caught:
        await ensure(host, wanted(host, port=8081))
    assert "no such thing" in caught.value.evidence[0]
    assert host.did == ["start", "test"]
    assert ":8080 " in configuration(host, "a")


async def test_a_port_that_is_taken_shows_after_the_test_and_the_configuration_before_stays(host: Host) -> None:
    await ensure(host, wanted(host))
    host.ports_are_free = False
    with pytest.raises(RouterNotConfigured, match="cannot begin with") as caught:
        await ensure(host, wanted(host, port=8081))
    assert caught.value.evidence == ("nginx: [emerg] cannot",)
    assert ":8080 " in configuration(host, "a")
    await ensure(host, wanted(host))
    host.ports_are_free = True
    await ensure(host, wanted(host, port=8081))
    assert ":8081 " in configuration(host, "a")


async def test_a_new_image_takes_over_and_the_earlier_one_goes_when_it_has_nothing_left(host: Host) -> None:
    await ensure(host, wanted(host))
    newer = wanted(host, "two")
    await ensure(host, newer)
    assert host.did == ["start", "rename", "start"]
    assert (host.there[ROUTER].labels[PART], host.there[EARLIER].labels[PART]) == ("b", "a")
    assert ":8080 " in configuration(host, "a")
    host.at_work = True
    assert not await end(host, newer)
    assert ":8080 " not in configuration(host, "a")
    assert not await end(host, newer)
    assert set(host.there) == {ROUTER, EARLIER}
    host.at_work = False
    assert await end(host, newer)
    assert set(host.there) == {ROUTER}
    assert not RouterPlaces(host.run, "a").own.exists()
    assert not RouterPlaces(host.run).earlier.is_symlink()
    assert await end(host, newer)


async def test_a_second_upgrade_waits_until_the_first_one_has_ended(host: Host) -> None:
    await ensure(host, wanted(host))
    await ensure(host, wanted(host, "two"))
    third = wanted(host, "three")
    assert not await ensure(host, third)
    assert host.there[ROUTER].labels[DIGEST] == wanted(host, "two").digest
    assert host.there[EARLIER].labels[DIGEST] == wanted(host, "one").digest
    while not await end(host, third):
        pass
    assert await ensure(host, third)
    assert host.there[ROUTER].labels[DIGEST] == third.digest


async def test_a_router_that_has_stopped_is_started_anew(host: Host) -> None:
    await ensure(host, wanted(host))
    host.there[ROUTER].running = False
    await ensure(host, wanted(host))
    assert host.did == ["start", f"remove {ROUTER}", "start"]


async def test_a_router_of_a_kind_that_cannot_hand_over_is_replaced(host: Host) -> None:
    host.there[ROUTER] = There({DIGEST: "sha256:1"})
    await ensure(host, wanted(host))
    assert host.did == [f"remove {ROUTER}", "start"]


async def test_one_that_does_not_come_up_leaves_the_one_before(host: Host) -> None:
    await ensure(host, wanted(host))
    host.comes_up = False
    with pytest.raises(RouterNotUpgraded) as caught:
        await ensure(host, wanted(host, "two"))
    assert caught.value.evidence == ("nginx: [emerg] cannot",)
    assert host.there[ROUTER].labels[PART] == "a"
    assert set(host.there) == {ROUTER}
    assert RouterPlaces(host.run).socket.readlink().name == "a.sock"
    host.comes_up = True
    await ensure(host, wanted(host, "two"))
    assert host.there[ROUTER].labels[DIGEST] == wanted(host, "two").digest


async def test_the_first_one_that_does_not_come_up_is_told_as_absent(host: Host) -> None:
    host.comes_up = False
    with pytest.raises(RouterAbsent):
        await ensure(host, wanted(host))


async def test_an_earlier_router_that_does_not_understand_our_file_is_stopped(host: Host) -> None:
    await ensure(host, wanted(host))
    await ensure(host, wanted(host, "two"))
    host.accepts = False
    assert await end(host, wanted(host, "two"))
    assert set(host.there) == {ROUTER}


async def test_an_earlier_router_that_is_not_there_any_more_is_forgotten(host: Host) -> None:
    await ensure(host, wanted(host))
    await ensure(host, wanted(host, "two"))
    host.there[EARLIER].running = False
    assert await end(host, wanted(host, "two"))
    assert set(host.there) == {ROUTER}
    assert not RouterPlaces(host.run).earlier.is_symlink()


@pytest.mark.parametrize("comes_up", [True, False])
@pytest.mark.parametrize("left", range(6))
async def test_a_daemon_that_dies_at_any_step_is_gone_on_with(host: Host, left: int, comes_up: bool) -> None:
    await ensure(host, wanted(host))
    newer = wanted(host, "two")
    host.left, host.comes_up = left, comes_up
    try:
        await ensure(host, newer)
        await end(host, newer)
        await end(host, newer)
    except (PowerCut, DeployError):
        pass
    assert ROUTER in host.there or EARLIER in host.there, "somebody serves at every moment"
    host.left, host.comes_up = None, True
    for there in host.there.values():   # Docker has started it again
        there.answers = True
    await ensure(host, newer)
    while not await end(host, newer):
        pass
    assert set(host.there) == {ROUTER}
    serving = host.there[ROUTER].labels
    assert serving[DIGEST] == newer.digest
    assert RouterPlaces(host.run).socket.readlink().name == f"{serving[PART]}.sock"
    assert ":8080 " in configuration(host, serving[PART])


async def test_an_upgrade_that_had_to_wait_is_made_when_the_one_before_has_ended(host: Host) -> None:
    for image in ("one", "two"):
        await ensure(host, wanted(host, image))
    third = wanted(host, "three")
    ending = asyncio.create_task(
        end_earlier_ones(host, host, third, upgrade_waits=not await ensure(host, third)),  # type: ignore[arg-type]
    )
    await asyncio.sleep(60)
    ending.cancel()
    assert set(host.there) == {ROUTER}
    assert host.there[ROUTER].labels[DIGEST] == third.digest


async def test_a_failed_call_of_the_engine_does_not_cut_the_earlier_router_off(
    host: Host, monkeypatch: pytest.MonkeyPatch,
) -> None:
    newer = wanted(host, "two")
    for router in (wanted(host), newer):
        await ensure(host, router)
    host.at_work = True
    assert not await end(host, newer)

    async def silent(name: str, command: Sequence[str]) -> Ran:
        raise DeployError("Docker did not answer within 10 s")

    with monkeypatch.context() as patch:
        patch.setattr(host, "execute", silent)
        with pytest.raises(DeployError):
            await end(host, newer)
    assert EARLIER in host.there


async def test_a_daemon_that_dies_before_the_reload_makes_it_at_its_next_start(host: Host) -> None:
    await ensure(host, wanted(host))
    host.left = 0
    with pytest.raises(PowerCut):
        await ensure(host, wanted(host, port=8081))
    host.left = None
    await ensure(host, wanted(host, port=8081))
    assert host.did[-1] == f"HUP {ROUTER}"


async def test_after_a_reboot_in_an_upgrade_the_earlier_one_goes_and_nothing_of_the_other(host: Host) -> None:
    newer = wanted(host, "two")
    for router in (wanted(host), newer):
        await ensure(host, router)
    for there in host.there.values():
        there.running = False
    await ensure(host, newer)
    assert await end(host, newer)
    assert set(host.there) == {ROUTER}
    assert RouterPlaces(host.run, host.there[ROUTER].labels[PART]).own.is_dir()


async def test_one_that_ends_again_and_again_is_removed_and_not_the_one_that_serves(host: Host) -> None:
    await ensure(host, wanted(host))
    host.comes_up = False
    host.left = 2
    with pytest.raises(PowerCut):   # while it waits for the new one
        await ensure(host, wanted(host, "two"))
    host.left, host.comes_up = None, True
    host.there[ROUTER].restarts = 9
    await ensure(host, wanted(host, "three"))
    assert host.there[EARLIER].labels[DIGEST] == wanted(host).digest
    assert host.there[ROUTER].labels[DIGEST] == wanted(host, "three").digest


async def test_a_router_that_serves_again_does_not_go_on_saying_goodbye(host: Host) -> None:
    newer = wanted(host, "two")
    for router in (wanted(host), newer):
        await ensure(host, router)
    assert host.leaving == {"a"}
    del host.there[ROUTER]
    host.comes_up = False
    with pytest.raises(RouterNotUpgraded):
        await ensure(host, newer)
    assert host.leaving == frozenset()
    assert not RouterPlaces(host.run).earlier.is_symlink()


async def test_who_goes_back_while_the_earlier_one_says_goodbye_is_not_cut_off(host: Host) -> None:
    newer = wanted(host, "two")
    for router in (wanted(host), newer):
        await ensure(host, router)
    async with asyncio.TaskGroup() as group:
        ending = group.create_task(end(host, replace(newer, goodbye_seconds=60)))
        await asyncio.sleep(1)
        del host.there[ROUTER]
        host.comes_up = False
        with pytest.raises(RouterNotUpgraded):
            await ensure(host, newer)
    assert not ending.result()
    assert set(host.there) == {ROUTER}
    assert RouterPlaces(host.run, "a").own.is_dir()
    assert ":8080 " in configuration(host, "a")
