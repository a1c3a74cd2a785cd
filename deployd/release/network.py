"""The network of an environment, in which its containers see each other and only each other, and their addresses in it.

An engine keeps them with the container, and nobody else remembers them: whoever asks again gets the same answer.
"""

from deployd.engine.addresses import given_by_engine, own_addresses
from deployd.engine.errors import NotThere, SubnetTaken
from deployd.engine.names import bridge_name
from deployd.engine.specs import NetworkSpec
from deployd.errors import Transient
from deployd.release.ports import Host
from deployd.release.release import Release

SUBNET_AGAIN_SECONDS = 1.0


async def ensure_network(release: Release, host: Host) -> None:
    """Have the environment's network; one that is there keeps the subnet that it has.

    Raises:
        Transient: Somebody else was faster to take the subnet.
    """
    names = release.names
    if await host.engine.network(names.network) is not None:
        return
    subnet = await host.facts.subnet(release.environment, names.network)
    try:
        await host.engine.ensure_network(
            NetworkSpec(
                names.network, subnet, names.labels("network"), given=given_by_engine(subnet),
                bridge=bridge_name(names.instance, names.network, subnet),
            ),
        )
    except SubnetTaken as error:
        raise Transient(error, SUBNET_AGAIN_SECONDS) from error   # since we looked: another one is chosen then


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
