"""Which addresses are public, and what an operator may write to open others."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from deployd.public_addresses import NOT_PUBLIC, Opening, is_public, parse_opening


@pytest.mark.parametrize("address", [
    "1.1.1.1", "8.8.8.8", "140.82.121.4", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
    "223.255.255.1", "2606:4700::1111", "2a00:1450:4001::200e", "2001:4860:4860::8888", "3ffe::1",
    "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1",   # of documentation: see the module
])
def test_public_ones(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1",
    "239.1.2.3", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1",
    "2002:7f00:1::", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1",
])
def test_all_others(address: str) -> None:
    assert not is_public(ip_address(address))


def test_nothing_is_public_that_python_calls_special() -> None:
    """A second opinion, but for what is kept for documentation."""
    texts = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
    paper = [ip_network(text) for text in texts]
    chosen = random.Random(7)
    for _ in range(20_000):
        for address in (IPv4Address(chosen.getrandbits(32)), IPv6Address(chosen.getrandbits(128))):
            special = not address.is_global or address.is_multicast
            assert not (is_public(address) and special) or any(address in network for network in paper), address
    for network in NOT_PUBLIC:
        assert not is_public(network[0])
        assert not is_public(network[-1])


@pytest.mark.parametrize(("text", "opening"), [
    ("10.0.0.5", Opening(ip_network("10.0.0.5/32"))), ("10.0.0.0/24", Opening(ip_network("10.0.0.0/24"))),
    ("10.0.0.5:5432", Opening(ip_network("10.0.0.5/32"), 5432)),
    ("10.0.0.0/24:443", Opening(ip_network("10.0.0.0/24"), 443)), ("fd00::/8", Opening(ip_network("fd00::/8"))),
    ("fd00::5", Opening(ip_network("fd00::5/128"))), ("[fd00::5]:443", Opening(ip_network("fd00::5/128"), 443)),
    ("[fd00::5]", Opening(ip_network("fd00::5/128"))), ("[fd00::/64]:443", Opening(ip_network("fd00::/64"), 443)),
])
def test_an_opening_is_an_address_or_a_network_and_maybe_a_port(text: str, opening: Opening) -> None:
    assert parse_opening(text) == opening


@pytest.mark.parametrize("text", [
    "", "db.internal", "db.internal:5432", "10.0.0.5:0", "10.0.0.5:65536", "10.0.0.5:", "10.0.0.5/24", "10.0.0.5:http",
    "10.0.0.5 accept; drop", "fd00::5:99999", "10.0.0.5:5432:1", "10.0.0.5/24:1",
])
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"port between|10\.0\.0\.5:5432"):
        parse_opening(text)


def test_an_opening_covers_its_port_and_no_other() -> None:
    assert parse_opening("10.0.0.0/8:53").covers(ip_address("10.9.9.9"), 53)
    assert not parse_opening("10.0.0.0/8:53").covers(ip_address("10.9.9.9"), 54)
    assert not parse_opening("10.0.0.0/8:53").covers(ip_address("11.9.9.9"), 53)
    assert not parse_opening("10.0.0.0/8").covers(ip_address("::1"), 53)
    assert parse_opening("10.0.0.0/8").covers(ip_address("10.9.9.9"), 1)
