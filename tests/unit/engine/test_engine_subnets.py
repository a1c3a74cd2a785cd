"""Subnets out of deployd's pool."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployd.engine.errors import NoSubnetLeft
from deployd.engine.subnets import next_subnet, overlaps, parse_host_routes

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t00000080\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_the_first_subnet_of_an_unused_pool():
    assert next_subnet("10.128.0.0/12", 26, ()) == "10.128.0.0/26"


def test_a_gap_is_filled_before_the_end_is_used():
    assert next_subnet("10.128.0.0/12", 26, ["10.128.0.0/26", "10.128.0.128/26"]) == "10.128.0.64/26"


def test_a_larger_network_and_one_inside_it_are_stepped_over_once():
    assert next_subnet("10.128.0.0/12", 26, ["10.128.0.0/24", "10.128.0.64/30", "fd00::/8"]) == "10.128.1.0/26"


def test_a_network_around_the_whole_pool_leaves_none():
    with pytest.raises(NoSubnetLeft, match=r"10\.128\.0\.0/24"):
        next_subnet("10.128.0.0/24", 26, ["10.0.0.0/8"])


def test_a_full_pool_is_an_error_that_says_what_to_do():
    used = [str(item) for item in ipaddress.ip_network("10.9.0.0/24").subnets(new_prefix=26)]
    with pytest.raises(NoSubnetLeft) as caught:
        next_subnet("10.9.0.0/24", 26, used)
    assert "network_pool" in caught.value.hint


@given(st.lists(st.tuples(st.integers(0, 4095), st.integers(20, 32))))
def test_what_is_given_overlaps_nothing_and_lies_in_the_pool(taken):
    pool = ipaddress.IPv4Network("10.128.0.0/20")
    used = [ipaddress.IPv4Network((int(pool.network_address) + offset, length), strict=False)
            for offset, length in taken]
    free = [subnet for subnet in pool.subnets(new_prefix=26) if not any(subnet.overlaps(item) for item in used)]
    if free:
        assert next_subnet(str(pool), 26, map(str, used)) == str(free[0])
    else:
        with pytest.raises(NoSubnetLeft):
            next_subnet(str(pool), 26, map(str, used))


def test_routes_of_the_host_count_but_ways_to_the_internet_do_not():
    assert parse_host_routes(ROUTES) == ("172.17.0.0/16",)


def test_a_subnet_overlaps_what_has_an_address_of_it() -> None:
    assert overlaps("10.128.0.64/26", ["fd00::/8", "10.128.0.0/24"])
    assert overlaps("10.128.0.0/24", ["10.128.0.64/30"])
    assert not overlaps("10.128.0.64/26", ["10.128.0.0/26", "10.128.0.128/26"])
