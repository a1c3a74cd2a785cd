"""The firewall around containers: what its rules are made of, and how it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from deployd.engine.docker.read import read_network
from deployd.engine.names import ENVIRONMENT, OUTBOUND, PROJECT, PUBLIC, ROLE, bridge_name, bridge_prefix
from deployd.engine.specs import ContainerSpec, Network
from deployd.firewall.kernel_table import FirewallNotKept, KernelTable
from deployd.firewall.outbound import CLOSED, Outbound, encode_outbound
from deployd.firewall.rules import parse_name_servers, render_rules, table_name
from deployd.project.model import FirewallRule
from deployd.public_addresses import Address
from deployd.settings import Settings
from deployd.upkeep.firewall import (
    MOST_OF_PROJECT,
    NAMES_SECONDS,
    ROUND_SECONDS,
    Around,
    FirewallManager,
    rules_of,
    sources_of,
)
from deployd.upkeep.outbound_names import OutboundNames
from tests.doubles.engine import EngineDouble

OURS = bridge_prefix("deployd")


class TableDouble(KernelTable):
    """Keeps nothing; says whether it would have had to put the rules."""

    def __init__(self) -> None:
        self.put: list[str] = []
        self.there = False
        self.broken = False
        self.gone = 0

    async def ensure(self, rules: str) -> bool:
        if self.broken:
            raise FirewallNotKept("cannot keep the firewall around containers: for a test")
        if self.there and self.put[-1] == rules:
            return False
        self.put.append(rules)
        self.there = True
        return True

    async def is_there(self) -> bool:
        return self.there

    async def ensure_gone(self) -> None:
        self.gone += 1


def engine_with(*bridges: str) -> EngineDouble:
    engine = EngineDouble()
    for number, bridge in enumerate(bridges):
        engine.add_network(f"n{number}", {"deployd": "deployd"}, bridge)
    engine.add_network("another", {}, "br-another")
    return engine


def settings(**more: object) -> Settings:
    return Settings.model_validate(more)


def manager_of(engine: EngineDouble, table: TableDouble, **more: object) -> FirewallManager:
    return FirewallManager(engine, settings(**more), table, lambda: (ip_address("10.0.0.53"),))


def test_interfaces_of_networks_have_names_that_the_kernel_takes_and_begin_alike() -> None:
    names = {bridge_name("deployd", f"deployd-shop-{number}", "10.208.0.0/26") for number in range(2000)}
    assert len(names) == 2000
    assert all(name.startswith(OURS) and len(name) == 15 for name in names)
    assert bridge_prefix("other") != OURS
    assert bridge_name("deployd", "a", "10.208.0.0/26") != bridge_name("deployd", "a", "10.208.0.64/26")


def test_a_network_tells_its_interface_by_its_name_or_by_its_id() -> None:
    data = {"Name": "n", "Id": "0123456789abcdef", "IPAM": {"Config": None}, "Labels": None}
    assert read_network(data).bridge == "br-0123456789ab"
    assert read_network({**data, "Options": {"com.docker.network.bridge.name": "dpx"}}).bridge == "dpx"


def test_the_rules_are_made_of_settings_and_networks() -> None:
    rules = rules_of(settings(
        router={"http_port": 8080, "https_port": 8443, "http3": True}, containers={"may_reach": ["10.0.0.5:5432"]},
    ), Around(("br-1",)), (ip_address("10.0.0.53"),))
    assert rules.table == table_name("deployd") == "deployd-deployd"
    assert rules.bridges == (f"{OURS}*", "br-1")
    assert (rules.router.tcp, rules.router.udp) == ((8080, 8443), (8443,))
    text = render_rules(rules)
    assert "ct original ip daddr 10.0.0.5/32 ct original proto-dst 5432 return" in text
    assert f'iifname "{OURS}*" oifname "{OURS}*" accept' in text
    assert 'iifname "br-1" oifname "br-1" accept' in text
    assert "ip daddr 10.0.0.53 meta l4proto { tcp, udp } th dport 53 accept" in text


@pytest.mark.parametrize(("address", "rule"), [
    ("0.0.0.0", "\ttcp dport { 80, 443 } accept"), ("::", "\ttcp dport { 80, 443 } accept"),
    ("192.0.2.7", "\tip daddr 192.0.2.7 tcp dport { 80, 443 } accept"),
    ("[2a00::7]", "\tip6 daddr 2a00::7 tcp dport { 80, 443 } accept"),
    ("web.example", "\ttcp dport { 80, 443 } accept"),
])
def test_the_router_is_open_where_it_listens(address: str, rule: str) -> None:
    assert rule in render_rules(rules_of(settings(router={"address": address}), Around(), ()))


def test_mail_is_port_25_of_the_own_gateway_and_only_where_there_is_mail() -> None:
    rules = render_rules(rules_of(settings(mail={"port": 9925}), Around(("br-1",)), ()))
    for name in (f"{OURS}*", "br-1"):
        assert f'iifname "{name}" fib daddr . iif type local tcp dport 25 redirect to :9925' in rules
    assert "fib daddr . iif type local tcp dport 9925 accept" in rules
    assert "9925" not in render_rules(rules_of(settings(mail={"port": 9925, "enabled": False}), Around(), ()))


def test_a_router_on_the_loopback_opens_nothing() -> None:
    found = settings(router={"address": "127.0.0.1"}, mail={"enabled": False})
    text = render_rules(rules_of(found, Around(), ()))
    assert "accept" not in text.partition("chain to_host")[2].partition("}")[0].partition("jump closed")[2]


def test_name_servers_are_those_that_containers_ask_themselves() -> None:
    text = ("# nameserver 1.1.1.1\nnameserver 127.0.0.53\nsearch x\nnameserver 10.0.0.53\nnameserver\n"
            "nameserver nonsense\nnameserver fe80::1%eth0\nnameserver 10.0.0.53\nnameserver ::1\n")
    assert parse_name_servers(text) == (ip_address("10.0.0.53"), ip_address("fe80::1"))


async def test_networks_of_an_earlier_version_are_in_it_and_stay_while_docker_is_away() -> None:
    engine, table = engine_with(f"{OURS}abc", "br-9", "br-1"), TableDouble()
    made = manager_of(engine, table)
    assert await made.ensure()
    assert 'iifname "br-1" jump to_host' in table.put[-1]
    assert f'iifname "{OURS}abc"' not in table.put[-1]
    engine.reachable = False
    assert not await made.ensure()
    engine.reachable = True
    del engine.networks_there["n2"]
    assert await made.ensure()
    assert "br-1" not in table.put[-1]


async def test_without_docker_what_will_be_made_is_closed_at_the_first_start() -> None:
    engine, table = EngineDouble(), TableDouble()
    engine.reachable = False
    assert await manager_of(engine, table).ensure()
    assert f'iifname "{OURS}*" jump to_host' in table.put[-1]


async def test_a_daemon_that_starts_without_docker_leaves_what_the_one_before_it_put() -> None:
    engine, table = EngineDouble(), TableDouble()
    engine.add("db", {"deployd": "deployd", ROLE: "service"}, "10.208.0.40", "shop")
    assert await manager_of(engine, table).ensure()
    assert "10.208.0.40" in table.put[-1]
    engine.reachable = False
    made = manager_of(engine, table)
    for look in (True, False):
        assert not await made.ensure(look=look)
    assert "10.208.0.40" in table.put[-1]
    engine.reachable = True
    await made.ensure(look=False)
    assert "10.208.0.40" in table.put[-1], "and asks Docker as soon as it can"


async def test_a_start_without_rules_is_no_start() -> None:
    table = TableDouble()
    table.broken = True
    with pytest.raises(FirewallNotKept):
        await manager_of(EngineDouble(), table).ensure()


async def test_an_operator_may_do_without() -> None:
    table = TableDouble()
    assert not await manager_of(EngineDouble(), table, containers={"firewall": "none"}).ensure()
    assert (table.put, table.gone) == ([], 1)


@pytest.mark.looptime
async def test_it_is_put_back_within_a_round_and_told_while_it_cannot_be() -> None:
    table = TableDouble()
    made = manager_of(EngineDouble(), table)
    await made.ensure()
    async with asyncio.TaskGroup() as group:
        rounds = group.create_task(made.serve())
        table.there = False
        await asyncio.sleep(ROUND_SECONDS + 1)
        assert table.there
        table.broken, table.there = True, False
        await asyncio.sleep(ROUND_SECONDS)
        [trouble] = made.troubles()
        assert "containers may reach this host" in trouble
        table.broken = False
        await asyncio.sleep(ROUND_SECONDS)
        assert (made.troubles(), table.there) == ((), True)
        rounds.cancel()


RULES = Outbound((FirewallRule("tcp", (), ("api.example",), (443,)),))
OF_SHOP = {"deployd": "deployd", ROLE: "web"}


def spec(name: str, address: str | None, labels: dict[str, str]) -> ContainerSpec:
    return ContainerSpec(name, "image", labels, network=Network("shop", address))


class Names(OutboundNames):
    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, str] = {"api.example": "203.0.113.7"}
        super().__init__(folder / "names.json", (), self.ask_double)

    async def ask_double(self, name: str, answered: bool | None) -> Sequence[Address]:
        return [ip_address(self.answers[name])]


def outbound_manager(tmp_path: Path) -> tuple[EngineDouble, TableDouble, Names, FirewallManager]:
    engine, table, names = EngineDouble(), TableDouble(), Names(tmp_path)
    engine.add_network("shop", {"deployd": "deployd"}, f"{OURS}shop")
    return engine, table, names, FirewallManager(engine, settings(), table, lambda: (), names)


async def test_a_container_is_listed_before_it_is_started_and_its_names_are_known(tmp_path: Path) -> None:
    engine, table, _, made = outbound_manager(tmp_path)
    await made.ensure()
    wanted = spec("web", "10.208.0.40", {**OF_SHOP, OUTBOUND: encode_outbound(RULES)})
    await engine.create(wanted)
    await made.admit((wanted,))
    assert not engine.there["web"].running
    assert f"10.208.0.40 : goto {RULES.chain}" in table.put[-1]
    assert "ip daddr { 203.0.113.7/32 } tcp dport { 443 } accept" in table.put[-1]
    assert f'iifname "{OURS}shop" meta nfproto ipv6 jump refused' in table.put[-1]


async def test_who_was_not_listed_is_not_let_in_when_it_is_tried_again(tmp_path: Path) -> None:
    engine, table, _, made = outbound_manager(tmp_path)
    await made.ensure()
    wanted = spec("web", "10.208.0.40", {**OF_SHOP, OUTBOUND: encode_outbound(RULES)})
    await engine.create(wanted)
    table.broken = True
    for _ in range(2):
        with pytest.raises(FirewallNotKept):
            await made.admit((wanted,))
    table.broken = False
    await made.admit((wanted,))
    assert f"10.208.0.40 : goto {RULES.chain}" in table.put[-1]


async def test_nobody_with_rules_is_let_in_while_docker_does_not_list_it(tmp_path: Path) -> None:
    engine, _, _, made = outbound_manager(tmp_path)
    await made.ensure()
    wanted = spec("web", "10.208.0.40", {**OF_SHOP, OUTBOUND: encode_outbound(RULES)})
    await engine.create(wanted)
    engine.reachable = False
    with pytest.raises(FirewallNotKept, match=r"10\.208\.0\.40"):
        await made.admit((wanted,))
    engine.reachable = True
    await made.admit((wanted,))


async def test_a_container_without_rules_needs_no_word_unless_its_address_had_some(tmp_path: Path) -> None:
    engine, table, _, made = outbound_manager(tmp_path)
    engine.add("old", {**OF_SHOP, OUTBOUND: "[]"}, "10.208.0.40", "shop")
    await made.ensure()
    before = len(table.put)
    await made.admit((spec("web", "10.208.0.41", OF_SHOP), spec("worker", None, OF_SHOP)))
    assert len(table.put) == before
    del engine.there["old"]
    await made.admit((spec("web", "10.208.0.40", OF_SHOP),))
    assert "10.208.0.40" not in table.put[-1]


@pytest.mark.parametrize(("labels", "closed"), [
    ({ROLE: "service"}, True), ({ROLE: "service", OUTBOUND: PUBLIC}, False), ({ROLE: "web"}, False),
    ({ROLE: "web", OUTBOUND: "[]"}, True), ({ROLE: "web", OUTBOUND: "nonsense"}, True), ({ROLE: "build"}, False),
])
def test_services_reach_nothing_outside_unless_it_is_what_they_are_for(labels: dict[str, str], closed: bool) -> None:
    engine = EngineDouble()
    found = sources_of([engine.add("x", labels, "10.208.0.40", "shop")])
    assert found.addresses == ({"10.208.0.40": CLOSED} if closed else {})


def test_of_two_containers_at_one_address_the_one_that_runs_counts() -> None:
    engine = EngineDouble()
    old = engine.add("s-db", {ROLE: "service"}, "10.208.0.40", "shop")
    new = engine.add("s-db..next-3", {ROLE: "service", OUTBOUND: encode_outbound(RULES)}, "10.208.0.40", "shop")
    assert sources_of([replace(new, running=False), old]).addresses["10.208.0.40"] == CLOSED
    assert sources_of([new, replace(old, running=False)]).addresses["10.208.0.40"] == RULES


@pytest.mark.looptime
async def test_a_name_that_moves_is_followed_and_is_no_attack(tmp_path: Path) -> None:
    engine, table, names, made = outbound_manager(tmp_path)
    engine.add("web", {**OF_SHOP, OUTBOUND: encode_outbound(RULES)}, "10.208.0.40", "shop")
    await made.ensure()
    with capture_logs() as told:
        async with asyncio.TaskGroup() as group:
            rounds = group.create_task(made.serve())
            await asyncio.sleep(NAMES_SECONDS + 1)
            assert "203.0.113.7/32" in table.put[-1]
            names.answers["api.example"] = "203.0.113.99"
            names._asked.clear()   # its turn has come
            await asyncio.sleep(NAMES_SECONDS)
            assert "203.0.113.99/32" in table.put[-1]
            rounds.cancel()
    assert "firewall_put_back" not in str(told)


def test_a_project_with_too_many_sets_of_rules_closes_its_own_and_nobody_elses() -> None:
    def engine_of(project: str, count: int) -> EngineDouble:
        engine = EngineDouble()
        for number in range(count):
            rules = Outbound((FirewallRule(ips=(f"192.0.2.{number}/32",)),))
            labels = {ROLE: "web", PROJECT: project, OUTBOUND: encode_outbound(rules)}
            engine.add(f"{project}{number:03}", labels, f"10.208.{len(project)}.{number}", "n")
        return engine

    greedy, other = engine_of("greedy", MOST_OF_PROJECT + 2), engine_of("other", 3)
    found = sources_of([*greedy.there.values(), *other.there.values()])
    closed = {address for address, what in found.addresses.items() if what == CLOSED}
    assert len(closed) == 2
    assert all(address.startswith("10.208.6.") for address in closed)
    assert found.greedy == ("greedy",)


def test_an_environment_with_many_sets_of_rules_takes_none_from_the_others_of_its_project() -> None:
    engine = EngineDouble()
    for number in range(2 * MOST_OF_PROJECT):
        rules = Outbound((FirewallRule(ips=(f"192.0.2.{number}/32",)),))
        labels = {ROLE: "worker", PROJECT: "shop", ENVIRONMENT: "a-try", OUTBOUND: encode_outbound(rules)}
        engine.add(f"a-try{number:03}", labels, f"10.208.0.{number}", "n")
    labels = {ROLE: "web", PROJECT: "shop", ENVIRONMENT: "main", OUTBOUND: encode_outbound(RULES)}
    engine.add("main", labels, "10.208.1.1", "m")
    found = sources_of(engine.there.values()).addresses
    assert found["10.208.1.1"] == RULES
    assert len([what for what in found.values() if what != CLOSED]) == MOST_OF_PROJECT
