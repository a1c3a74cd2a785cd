"""What the containers of a hostile project reach: not the host, not its network, not a cloud's metadata, no neighbour.

On the host's other side stands a machine that has all these addresses and answers; from the host it can be reached.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiodocker
import pytest
import pytest_asyncio

from deployd.engine.names import INSTANCE, PROJECT, ROLE
from deployd.firewall.kernel_table import is_there
from deployd.firewall.rules import table_name
from deployd.process import run
from scripts.local_daemon import LocalDaemon
from scripts.repository import make_repository
from tests.support.developer import Developer, write_start
from tests.support.lan_stand import (
    ATTEMPT,
    METADATA,
    PORT,
    PRIVATE,
    PUBLIC,
    answering,
    attempt,
    connect_machine,
    give_addresses,
    machine,
    target,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PUT_BACK_SECONDS = 60.0
"""A round is 10 s; the limit only catches that it never comes."""
HOST = ("own gateway", "gateway of the neighbour", "docker0", "address of the host")
WEB_PORT = 80
ROLES = ("app", "web", "worker", "service")
APP = """\
name: app
type: python:3.13
relationships: {cache: "cache:redis"}
hooks:
  build: python3 attempt.py $(cat targets)
  deploy: python3 attempt.py $(cat targets)
web: {commands: {start: python3 -m http.server $PORT}}
workers: {idle: {commands: {start: sleep 100000}, firewall: {outbound: [{ips: [192.0.2.77], ports: [443]}]}}}
"""
NEIGHBOUR = "name: app\ntype: python:3.13\nweb: {commands: {start: python3 -m http.server $PORT}}\n"


@dataclass
class Field:
    """Two projects that are live, and what lies around them."""

    daemon: LocalDaemon
    pids: dict[str, int]
    """{role: a process of that container of the attacker}"""
    addresses: dict[str, str]
    """{what it is: an address of the host or of the neighbour}"""
    printed: str
    """Of the push."""
    asked: list[str]
    """Who reached the host, or the machine behind it."""

    def at(self, name: str) -> str:
        return self.addresses.get(name, name)

    def inside(self, role: str) -> tuple[str, ...]:
        """As whoever is in the container, on its network."""
        return ("nsenter", "--target", str(self.pids[role]), "--net")

    async def reached(self, role: str, *targets: str) -> set[str]:
        found = await attempt(self.inside(role), targets)
        assert set(found) == set(targets)
        return {word for word, end in found.items() if end == "open"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def field(daemon: LocalDaemon, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    folder = tmp_path_factory.mktemp("network")
    neighbour = await _developer(daemon, folder, "neighbour", {".platform.app.yaml": NEIGHBOUR})
    assert (await neighbour.push()).deployed
    gateways = await _gateways(daemon)
    addresses = {
        "gateway of the neighbour": gateways["neighbour"], "docker0": gateways["bridge"],
        "address of the host": address_of_the_host(),
        "a container of the neighbour": await _address(daemon, "neighbour", "web"),
    }
    async with machine("lan") as lan:
        number = 219
        await connect_machine(lan, None, f"lan{os.urandom(3).hex()}", number)
        await give_addresses(lan, None, number, (*METADATA, *PRIVATE, PUBLIC))
        async with answering((), PORT) as host_asked, answering(lan.enter, PORT) as lan_asked:
            reachable = [target(address) for address in (*METADATA, *PRIVATE, PUBLIC, gateways["bridge"])]
            assert set((await attempt(("env",), reachable)).values()) == {"open"}, "the stand shows nothing"
            host_asked.clear()
            lan_asked.clear()
            tried = [target(address) for address in (*METADATA, *PRIVATE, *list(addresses.values())[:3], PUBLIC)]
            attacker = await _developer(daemon, folder, "network", {
                ".platform.app.yaml": APP, ".platform/services.yaml": "cache: {type: 'redis:8.0'}\n",
                "attempt.py": ATTEMPT, "targets": " ".join(tried),
            })
            pushed = await attacker.push()
            assert pushed.deployed, "\n".join(pushed.lines)
            addresses["own gateway"] = (await _gateways(daemon))["network"]
            yield Field(daemon, await _pids(daemon), addresses, "\n".join(pushed.lines), host_asked)
            assert [who for who in host_asked if not who.startswith("127.")] == [], "a container reached the host"


@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("address", [*HOST, *METADATA, *PRIVATE])
@pytest.mark.parametrize("role", ROLES)
async def test_a_container_does_not_reach(field: Field, role: str, address: str, kind: str) -> None:
    assert await field.reached(role, target(field.at(address), kind=kind)) == set()


@pytest.mark.parametrize("address", [*METADATA, *PRIVATE, *HOST[1:]])
@pytest.mark.parametrize("hook", ["build", "deploy"])
async def test_a_hook_does_not_reach(field: Field, hook: str, address: str) -> None:
    """They tried while they ran; each attempt printed its end."""
    word = target(field.at(address))
    ends = [line.rpartition(f"{word} ")[2] for line in field.printed.splitlines() if f"{word} " in line]
    assert len(ends) == 2, field.printed
    assert ends[hook == "deploy"] in ("ConnectionRefusedError", "OSError", "TimeoutError"), ends


@pytest.mark.parametrize("role", ROLES)
async def test_a_container_does_not_reach_a_neighbour(field: Field, role: str) -> None:
    assert await field.reached(role, target(field.at("a container of the neighbour"), WEB_PORT)) == set()


@pytest.mark.parametrize("role", ["app", "web"])
async def test_the_internet_stays_open(field: Field, role: str) -> None:
    assert await field.reached(role, target(PUBLIC)) == {target(PUBLIC)}


@pytest.mark.parametrize("role", ["worker", "service"])
async def test_a_service_and_a_worker_with_other_rules_reach_nothing_outside(field: Field, role: str) -> None:
    assert await field.reached(role, target(PUBLIC), target(PUBLIC, kind="udp")) == set()


async def test_builds_and_hooks_reach_the_internet(field: Field) -> None:
    assert field.printed.count(f"{target(PUBLIC)} open") == 2


async def test_an_environments_own_network_and_its_names_stay_open(field: Field) -> None:
    """Docker answers for names inside each container, and the service answers by its name."""
    script = ("import socket; s = socket.create_connection(('cache.internal', 6379), 5); s.send(b'PING\\r\\n');"
              " print(s.recv(20))")
    seen = await _in_container(field.daemon, "worker", "python3", "-c", script)
    assert "PONG" in seen or "NOAUTH" in seen


async def test_the_router_still_reaches_the_application(field: Field) -> None:
    developer = Developer(field.daemon, Path(), "network")
    assert (await developer.page())[0] == 200


@pytest.mark.parametrize("attack", [
    ("delete", "table", "inet"), ("flush", "table", "inet"),
])
async def test_rules_that_somebody_takes_away_are_put_back(field: Field, attack: tuple[str, ...]) -> None:
    name = table_name(field.daemon.instance)
    await run("nft", *attack, name)
    words = [target(field.at("docker0")), target(PRIVATE[0])]
    async with asyncio.timeout(PUT_BACK_SECONDS):
        # Not by trying: an attempt that succeeds would be a connection to the host.
        while (await run("nft", "list", "table", "inet", name, check=False)).text.count("jump refused") < 4:
            await asyncio.sleep(0.2)
    assert await field.reached("app", *words) == set()
    assert "firewall_put_back" in field.daemon.log_file.read_text()


async def test_the_rules_outlive_the_daemon_and_a_container_that_starts_anew(field: Field) -> None:
    words = [target(field.at("docker0")), target(PRIVATE[0])]
    await field.daemon.stop()
    try:
        assert await is_there(table_name(field.daemon.instance))
        assert await field.reached("worker", *words) == set()
    finally:
        await field.daemon.start()
    await run("docker", "restart", "--time", "0", str((await _containers(field.daemon, "network", "worker"))[0]["Id"]))
    field.pids = await _pids(field.daemon)
    assert await field.reached("worker", *words) == set()


async def _developer(daemon: LocalDaemon, folder: Path, project: str, files: dict[str, str]) -> Developer:
    await make_repository(folder / project, write_start(folder / f"start-{project}"))
    made = Developer(daemon, folder / project, project)
    await made.write(files)
    return made


async def _gateways(daemon: LocalDaemon) -> dict[str, str]:
    """{project, or `bridge`: the host's address on its network}, the first one of its subnet"""
    async with aiodocker.Docker() as docker:
        networks = await docker.networks.list()
    return {
        str(labels.get(PROJECT, item["Name"])): str(next(ip_network(item["IPAM"]["Config"][0]["Subnet"]).hosts()))
        for item in networks for labels in [item["Labels"] or {}]
        if item["Name"] == "bridge" or (labels.get(INSTANCE) == daemon.instance and PROJECT in labels)
    }


async def _containers(daemon: LocalDaemon, project: str, role: str) -> list[dict[str, Any]]:
    async with aiodocker.Docker() as docker:
        labels = [f"{INSTANCE}={daemon.instance}", f"{PROJECT}={project}", f"{ROLE}={role}"]
        return [await found.show() for found in await docker.containers.list(filters={"label": labels})]


async def _pids(daemon: LocalDaemon) -> dict[str, int]:
    return {role: int((await _containers(daemon, "network", role))[0]["State"]["Pid"]) for role in ROLES}


async def _address(daemon: LocalDaemon, project: str, role: str) -> str:
    [network] = (await _containers(daemon, project, role))[0]["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


async def _in_container(daemon: LocalDaemon, role: str, *argv: str) -> str:
    name = str((await _containers(daemon, "network", role))[0]["Id"])
    return (await run("docker", "exec", name, *argv)).text


def address_of_the_host() -> str:
    """The one from which it would speak to the Internet; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((PUBLIC, 9))
        return str(probe.getsockname()[0])
