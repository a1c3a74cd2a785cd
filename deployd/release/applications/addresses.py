"""Which address a container that routes lead to gets, and keeps as long as it lives.

Kept by Docker with the container, and remembered nowhere else: whoever asks again gets the same answer.
"""

from __future__ import annotations

from deployd.engine.addresses import own_addresses
from deployd.engine.errors import NotThere
from deployd.release.ports import Host
from deployd.release.release import Release


async def fixed_addresses(release: Release, host: Host, containers: list[str]) -> dict[str, str]:
    """{container: IPv4 address in the environment's network}. Ask for all that are made side by side at once.

    Raises:
        NotThere: The environment has no network.
        NoAddressLeft: Its network is too small.
    """
    if not containers:
        return {}
    name = release.names.network
    network = await host.engine.network(name)
    if network is None or network.subnet is None:
        raise NotThere(f"cannot give addresses: the network {name} was removed meanwhile")
    found = await host.engine.containers(release.names.labels())
    own = {item.name: item.own_addresses[name] for item in found if name in item.own_addresses}
    given = [item.addresses[name] for item in found if name in item.addresses]
    return own_addresses(network.subnet, own, containers, given, begin=release.id)
