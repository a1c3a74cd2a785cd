"""Addresses that containers keep."""

import pytest

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
