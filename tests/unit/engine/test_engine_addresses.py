"""Addresses that containers keep."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployd.engine.addresses import given_by_engine, own_addresses
from deployd.engine.errors import NoAddressLeft

SUBNET = "10.1.0.64/26"


def test_docker_gives_out_the_lower_half_and_deployd_the_upper() -> None:
    assert given_by_engine(SUBNET) == "10.1.0.64/27"
    assert own_addresses(SUBNET, {}, ["a", "b"]) == {"a": "10.1.0.96", "b": "10.1.0.97"}


def test_a_container_keeps_the_address_that_it_has() -> None:
    assert own_addresses(SUBNET, {"a": "10.1.0.99"}, ["a", "b"], begin=3) == {"a": "10.1.0.99", "b": "10.1.0.100"}


def test_an_address_that_has_just_become_free_is_not_given_to_the_next_activity() -> None:
    first = own_addresses(SUBNET, {}, ["web-1"], begin=1)
    assert own_addresses(SUBNET, {}, ["web-2"], begin=2)["web-2"] != first["web-1"]


def test_what_docker_gave_out_is_left_alone_in_networks_of_earlier_times() -> None:
    assert own_addresses(SUBNET, {}, ["a"], taken=["10.1.0.96"]) == {"a": "10.1.0.97"}


def test_when_all_are_taken_it_is_said() -> None:
    with pytest.raises(NoAddressLeft, match=r"10\.1\.0\.96/27"):
        own_addresses(SUBNET, {}, [str(number) for number in range(32)])


@given(st.integers(16, 29), st.integers(0, 10_000), st.integers(1, 3))
def test_addresses_are_different_and_of_the_upper_half(prefix: int, begin: int, count: int) -> None:
    subnet = ipaddress.IPv4Network(f"10.0.0.0/{prefix}")
    found = own_addresses(str(subnet), {}, [str(number) for number in range(count)], begin=begin)
    addresses = {ipaddress.IPv4Address(address) for address in found.values()}
    assert len(addresses) == count
    assert all(item in subnet and item not in ipaddress.IPv4Network(given_by_engine(str(subnet))) for item in addresses)
    assert subnet.broadcast_address not in addresses
