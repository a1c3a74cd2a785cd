"""The rules in a real kernel, between three machines: a container, its host and what lies beyond; IPv4 and IPv6."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

import pytest
import pytest_asyncio

from deployd.firewall.kernel_table import FirewallNotKept, KernelTable, check_rules, ensure_table_gone, is_there
from deployd.firewall.outbound import Outbound
from deployd.firewall.rules import FirewallRules, RouterPorts, render_rules
from deployd.process import run
from deployd.project.model import FirewallRule
from deployd.public_addresses import parse_opening
from tests.support.lan_stand import (
    METADATA,
    METADATA_IPV6,
    PORT,
    PRIVATE,
    PUBLIC,
    PUBLIC_IPV6,
    Machine,
    answering,
    attempt,
    connect_machine,
    give_addresses,
    machine,
    target,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = FirewallRules("deployd-test", ("dpte*",), RouterPorts("0.0.0.0", (80, 443), (443,)))
OF_THE_HOST = ("192.168.201.1", "fd00:201::1", "192.168.202.1", "203.0.113.9", "11.55.55.55")
BEYOND = (*METADATA, *METADATA_IPV6, *PRIVATE, "fd00:202::2", "fec0::7", "2002:a00:1::7",
          "64:ff9b::a00:1")
EVERYTHING = [target(address, kind=kind) for address in (*OF_THE_HOST, *BEYOND) for kind in ("tcp", "udp")]


@dataclass
class Street:
    """A container, its host and the rest of the world."""

    box: Machine
    host: Machine
    beyond: Machine
    table: KernelTable
    file: Path
    asked: list[str] = field(default_factory=list)

    async def reached(self, *targets: str) -> set[str]:
        found = await attempt(self.box.enter, targets)
        assert set(found) == set(targets)
        return {name for name, end in found.items() if end == "open"}

    async def nft(self, *argv: str) -> None:
        await run(*self.host.enter, shutil.which("nft") or "nft", *argv)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    """`nft` of the code under test works on the host of this street: a script of that name stands before it."""
    folder = tmp_path_factory.mktemp("street")
    async with machine("box") as box, machine("host") as host, machine("beyond") as beyond:
        await connect_machine(box, host, "dptest0", 201)
        await connect_machine(beyond, host, "eth0", 202)
        await run(*host.enter, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward;"
                  "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
        for address in ("203.0.113.9/32", "11.55.55.55/32"):
            await host.ip("address", "add", address, "dev", "lo")
        more = {*BEYOND, PUBLIC, PUBLIC_IPV6} - {"fd00:202::2"}   # that one it has by the cable
        await give_addresses(beyond, host, 202, sorted(more))
        (folder / "bin").mkdir()
        script = folder / "bin/nft"
        script.write_text(f'#!/bin/sh\nexec {" ".join(host.enter)} {shutil.which("nft")} "$@"\n')
        script.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", f"{script.parent}:/usr/sbin:/usr/bin:/sbin:/bin")
            file = folder / "firewall.nft"
            async with answering(host.enter, PORT, 80, 443, 53), answering(beyond.enter, PORT, 53) as asked:
                yield Street(box, host, beyond, KernelTable(RULES.table, file), file, asked)


async def test_without_the_wall_everything_is_reached(street: Street) -> None:
    """Else the other tests would show nothing."""
    await ensure_table_gone(RULES.table)
    assert await street.reached(*EVERYTHING) == set(EVERYTHING)


@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("address", [*OF_THE_HOST, *BEYOND])
async def test_the_host_private_networks_and_metadata_are_closed(street: Street, address: str, kind: str) -> None:
    await street.table.ensure(render_rules(RULES))
    before = len(street.asked)
    assert await street.reached(target(address, kind=kind)) == set()
    assert len(street.asked) == before


async def test_the_internet_and_the_router_are_open(street: Street) -> None:
    await street.table.ensure(render_rules(RULES))
    wanted = [target(PUBLIC), target(PUBLIC_IPV6), target(PUBLIC, kind="udp"), target("11.55.55.55", 443),
              target("192.168.201.1", 80), target("fd00:201::1", 443), target("192.168.201.1", 443, "udp")]
    assert await street.reached(*wanted) == set(wanted)
    assert await street.reached(target("192.168.201.1", 80, "udp")) == set()


async def test_answers_to_the_router_come_through(street: Street) -> None:
    """It is the host who asks there."""
    await street.table.ensure(render_rules(RULES))
    async with answering(street.box.enter, 8888):
        wanted = [target("192.168.201.2", 8888), target("fd00:201::2", 8888)]
        assert set((await attempt(street.host.enter, wanted)).values()) == {"open"}


async def test_a_router_with_an_address_of_its_own_is_open_there_only(street: Street) -> None:
    await street.table.ensure(render_rules(replace(RULES, router=RouterPorts("11.55.55.55", (80,)))))
    assert await street.reached(target("11.55.55.55", 80), target("203.0.113.9", 80)) == {target("11.55.55.55", 80)}
    await street.table.ensure(render_rules(replace(RULES, router=RouterPorts("127.0.0.1", (80,)))))
    assert await street.reached(target("11.55.55.55", 80), target("192.168.201.1", 80)) == set()


@pytest.mark.parametrize("server", ["10.99.7.7", "169.254.169.254", "192.168.201.1", "fd00:ec2::254"])
async def test_a_name_server_is_open_on_its_port_only(street: Street, server: str) -> None:
    await street.table.ensure(render_rules(replace(RULES, name_servers=(ip_address(server),))))
    wanted = {target(server, 53, "udp"), target(server, 53)}
    assert await street.reached(*wanted, target(server), target("172.31.7.7", 53, "udp")) == wanted


@pytest.mark.parametrize(("opening", "opened", "closed"), [
    (f"10.99.7.7:{PORT}", [target("10.99.7.7"), target("10.99.7.7", kind="udp")], [target("10.99.7.7", 53)]),
    ("10.99.0.0/16", [target("10.99.7.7"), target("10.99.7.7", 53)], [target("172.31.7.7")]),
    ("fd00:ec2::254", [target("fd00:ec2::254")], [target("fd20:ce::254")]),
    (f"[fd00:ec2::254]:{PORT}", [target("fd00:ec2::254")], [target("fd00:ec2::254", 53)]),
    (f"192.168.201.1:{PORT}", [target("192.168.201.1")], [target("203.0.113.9")]),
    (f"11.55.55.55:{PORT}", [target("11.55.55.55")], [target("11.55.55.55", 53)]),
])
async def test_what_the_operator_opened_is_open_and_nothing_beside_it(
    street: Street, opening: str, opened: list[str], closed: list[str],
) -> None:
    await street.table.ensure(render_rules(replace(RULES, openings=(parse_opening(opening),))))
    assert await street.reached(*opened, *closed) == set(opened)


async def test_a_published_port_counts_as_the_address_that_was_asked_for(street: Street) -> None:
    """Docker leads it elsewhere before any rule is asked."""
    await street.nft("add table ip published; add chain ip published pre { type nat hook prerouting priority dstnat; };"
                     f" add rule ip published pre ip daddr 203.0.113.9 tcp dport 9000 dnat to 10.99.7.7:{PORT}")
    try:
        await street.table.ensure(render_rules(RULES))
        assert await street.reached(target("203.0.113.9", 9000)) == set()
        await street.table.ensure(render_rules(replace(RULES, openings=(parse_opening("203.0.113.9:9000"),))))
        assert await street.reached(target("203.0.113.9", 9000), target("10.99.7.7")) == {target("203.0.113.9", 9000)}
    finally:
        await street.nft("delete table ip published")


async def test_interfaces_of_others_are_not_touched(street: Street) -> None:
    await street.table.ensure(render_rules(replace(RULES, bridges=("dpother*", "br-0123456789ab"))))
    assert await street.reached(target("192.168.201.1"), target("10.99.7.7")) == {
        target("192.168.201.1"), target("10.99.7.7"),
    }


async def test_a_network_of_an_earlier_version_is_known_by_its_whole_name(street: Street) -> None:
    await street.table.ensure(render_rules(replace(RULES, bridges=("dpother*", "dptest0"))))
    assert await street.reached(target("192.168.201.1"), target("10.99.7.7")) == set()


@pytest.mark.parametrize("attack", [
    ["delete table inet deployd-test"], ["flush ruleset"], ["flush table inet deployd-test"],
    ["insert rule inet deployd-test to_host accept"], ["flush chain inet deployd-test refused"],
    ["add chain inet deployd-test forward { policy accept; }; flush chain inet deployd-test forward"],
])
async def test_what_somebody_changes_is_seen_and_put_back(street: Street, attack: list[str]) -> None:
    rules = render_rules(RULES)
    await street.table.ensure(rules)
    assert await street.table.ensure(rules) is False
    await street.nft(*attack)
    assert await street.table.ensure(rules) is True
    assert await street.reached(target("192.168.201.1"), target("10.99.7.7")) == set()


async def test_the_next_boot_finds_the_rules_in_a_file(street: Street) -> None:
    await street.table.ensure(render_rules(RULES))
    await street.nft("flush", "ruleset")
    await street.nft("-f", str(street.file))
    assert await street.reached(target("192.168.201.1"), target("10.99.7.7"), target(PUBLIC)) == {target(PUBLIC)}


async def test_what_is_put_back_needs_no_room_on_the_disk(street: Street) -> None:
    rules = render_rules(RULES)
    await street.table.ensure(rules)
    street.file.with_suffix(".new").mkdir()   # nothing can be written there
    try:
        await street.nft("flush", "ruleset")
        assert await street.table.ensure(rules) is True
        with pytest.raises(OSError, match="directory"):
            await street.table.ensure(render_rules(replace(RULES, openings=(parse_opening("10.99.7.7"),))))
        assert await street.reached(target("10.99.7.7")) == set()
    finally:
        street.file.with_suffix(".new").rmdir()


async def test_gone_is_gone_and_may_be_asked_for_twice(street: Street) -> None:
    await street.table.ensure(render_rules(RULES))
    assert await is_there(RULES.table)
    for _ in range(2):
        await street.table.ensure_gone()
        assert not await is_there(RULES.table)
        assert not street.file.exists()
    assert await street.table.ensure(render_rules(RULES)) is True


async def test_two_daemons_do_not_disturb_each_other(street: Street) -> None:
    other = replace(RULES, table="deployd-other", bridges=("dpother*",))
    await street.table.ensure(render_rules(RULES))
    await KernelTable(other.table, street.file.with_name("other.nft")).ensure(render_rules(other))
    assert await street.table.ensure(render_rules(RULES)) is False
    assert await ensure_table_gone(other.table)
    assert await street.table.ensure(render_rules(RULES)) is False


async def test_rules_that_the_kernel_does_not_take_are_told_and_change_nothing(street: Street) -> None:
    await street.table.ensure(render_rules(RULES))
    with pytest.raises(FirewallNotKept) as caught:
        await street.table.ensure("table inet deployd-test { nonsense }")
    assert caught.value.evidence
    assert caught.value.hint
    assert await street.reached(target("10.99.7.7")) == set()
    await check_rules(render_rules(RULES))


async def test_a_host_without_nftables_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FirewallNotKept) as caught:
        await KernelTable("deployd-none", tmp_path / "firewall.nft").ensure(render_rules(RULES))
    assert "apt-get install nftables" in caught.value.hint
    assert await ensure_table_gone("deployd-none") is False
    assert await is_there("deployd-none") is False


BOX = "192.168.201.2"
OTHER = "203.0.113.77"
EVERY_WAY_OUT = [target(PUBLIC), target(PUBLIC, 53), target(PUBLIC, kind="udp"), target(PUBLIC_IPV6)]


def ruled(*rules: FirewallRule, **more: object) -> str:
    return render_rules(replace(
        RULES, sources={BOX: Outbound(rules)}, without_ipv6=("dptest0",), **more,   # type: ignore[arg-type]
    ))


async def test_who_has_no_rules_at_all_reaches_nothing_outside_not_even_the_router(street: Street) -> None:
    await street.table.ensure(ruled(name_servers=(ip_address("10.99.7.7"),)))
    own_names = target("10.99.7.7", 53, "udp")
    assert await street.reached(*EVERY_WAY_OUT, target("192.168.201.1", 80), own_names) == {own_names}


@pytest.mark.parametrize(("rule", "opened"), [
    (FirewallRule(ports=(PORT,)), [target(PUBLIC)]),
    (FirewallRule(ips=(f"{PUBLIC}/32",)), [target(PUBLIC), target(PUBLIC, 53)]),
    (FirewallRule(ips=("0.0.0.0/0",), ports=(53,)), [target(PUBLIC, 53)]),
    (FirewallRule(ips=(f"{OTHER}/32",)), []),
    (FirewallRule(domains=("api.example",), ports=(53,)), [target(PUBLIC, 53)]),
    (FirewallRule(domains=("nowhere.example",)), []),
    (FirewallRule(domains=("private.example",)), []),
    (FirewallRule(ips=("10.0.0.0/8", "172.16.0.0/12", "169.254.0.0/16", "192.168.201.1/32")), []),
])
async def test_a_rule_opens_what_it_names_and_nothing_else(
    street: Street, rule: FirewallRule, opened: list[str],
) -> None:
    names = {"api.example": (ip_address(PUBLIC), ip_address(OTHER)), "private.example": (ip_address("10.99.7.7"),)}
    await street.table.ensure(ruled(rule, names=names))
    private = [target("10.99.7.7"), target(METADATA[0]), target("192.168.201.1")]
    assert await street.reached(*EVERY_WAY_OUT, *private, target("192.168.201.1", 80)) == {
        *opened, target("192.168.201.1", 80),
    }


async def test_what_the_operator_opened_needs_a_rule_that_names_it(street: Street) -> None:
    openings = (parse_opening("10.99.7.7"), parse_opening(f"192.168.201.1:{PORT}"))
    both = {target("10.99.7.7"), target("192.168.201.1")}
    await street.table.ensure(ruled(FirewallRule(ips=("10.99.7.7/32", "192.168.201.1/32")), openings=openings))
    assert await street.reached(*both, target("10.99.7.7", kind="udp")) == both
    await street.table.ensure(ruled(FirewallRule(ips=(f"{OTHER}/32",)), openings=openings))
    assert await street.reached(*both) == set()


async def test_mails_go_through_the_mail_server_alone(street: Street) -> None:
    async with answering(street.beyond.enter, 25):
        await street.table.ensure(render_rules(RULES))
        assert await street.reached(target(PUBLIC, 25)) == set()
        await street.table.ensure(ruled(FirewallRule(ports=(25,))))
        assert await street.reached(target(PUBLIC, 25)) == set()
        await street.table.ensure(render_rules(replace(RULES, openings=(parse_opening(f"{PUBLIC}:25"),))))
        assert await street.reached(target(PUBLIC, 25)) == {target(PUBLIC, 25)}


async def test_rules_outlive_a_boot_with_the_addresses_of_their_names(street: Street) -> None:
    names = {"api.example": (ip_address(PUBLIC),)}
    await street.table.ensure(ruled(FirewallRule(domains=("api.example",)), names=names))
    await street.nft("flush", "ruleset")
    await street.nft("-f", str(street.file))
    assert await street.reached(*EVERY_WAY_OUT) == {target(PUBLIC), target(PUBLIC, 53)}


async def test_the_kernel_tells_rules_of_containers_as_they_were_put(street: Street) -> None:
    some = FirewallRule(ips=("192.0.2.0/24", "192.0.2.7/32", "2a00::/16"), ports=(443, 80))
    rules = ruled(some, FirewallRule(ports=(1,)))
    await street.table.ensure(rules)
    assert await street.table.ensure(rules) is False
    await street.nft("flush", "chain", "inet", RULES.table, "by_rules")
    assert await street.table.ensure(rules) is True
