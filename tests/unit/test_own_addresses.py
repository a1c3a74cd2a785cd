"""The host's own addresses, by the kernel's word."""

from ipaddress import ip_address

import pytest

from deployd.own_addresses import is_own


@pytest.mark.parametrize("address", ["127.0.0.1", "127.200.1.1", "::1"])
def test_own_ones(address: str) -> None:
    assert is_own(ip_address(address))


@pytest.mark.parametrize("address", ["11.22.33.44", "2a0e:1234::44", "203.0.113.77", "255.255.255.255"])
def test_others(address: str) -> None:
    assert not is_own(ip_address(address))
