"""Where a proxy route may lead: the router that follows it stands on the host's network."""

from __future__ import annotations

import ipaddress

import pytest

from deployd.release import external_upstreams as outside
from deployd.release.external_upstreams import OutsideUnreachable, find_targets
from deployd.router.table import Target

ROUTER = (80, 443)


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "2130706433", "0x7f.1", "0.0.0.0", "10.0.0.1", "169.254.169.254", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255",
])
@pytest.mark.parametrize("port", ["", ":80", ":9200"])
async def test_not_to_the_host_its_network_or_metadata(host: str, port: str) -> None:
    with pytest.raises(OutsideUnreachable):
        await find_targets(f"http://{host}{port}/", ".platform/routes.yaml:3", ROUTER)


async def test_to_a_public_address() -> None:
    assert await find_targets("http://11.22.33.44/x", "", ROUTER) == (Target("11.22.33.44", 80),)
    assert await find_targets("https://11.22.33.44:9200", "", ROUTER) == (Target("11.22.33.44", 9200),)


async def test_to_a_public_address_of_this_host_only_as_every_visitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is closed on it to the Internet is open to the router, which comes from within."""
    monkeypatch.setattr(outside, "is_own", lambda address: address == ipaddress.ip_address("11.22.33.44"))
    assert await find_targets("https://11.22.33.44/", "", ROUTER) == (Target("11.22.33.44", 443),)
    with pytest.raises(OutsideUnreachable):
        await find_targets("http://11.22.33.44:9200/", "", ROUTER)
