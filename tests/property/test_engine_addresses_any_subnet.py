"""Addresses that containers keep, in any subnet."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from deployd.engine.addresses import given_by_engine, own_addresses


@given(st.integers(16, 29), st.integers(0, 10_000), st.integers(1, 3))
def test_addresses_are_different_and_of_the_upper_half(prefix: int, begin: int, count: int) -> None:
    subnet = ipaddress.IPv4Network(f"10.0.0.0/{prefix}")
    found = own_addresses(str(subnet), {}, [str(number) for number in range(count)], begin=begin)
    addresses = {ipaddress.IPv4Address(address) for address in found.values()}
    assert len(addresses) == count
    assert all(item in subnet and item not in ipaddress.IPv4Network(given_by_engine(str(subnet))) for item in addresses)
    assert subnet.broadcast_address not in addresses
