"""The network of an environment, in which its containers see each other and only each other."""

from deployd.engine.addresses import given_by_docker
from deployd.engine.errors import SubnetTaken
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
                names.network, subnet, names.labels("network"), given=given_by_docker(subnet),
                bridge=bridge_name(names.instance, names.network, subnet),
            ),
        )
    except SubnetTaken as error:
        raise Transient(error, SUBNET_AGAIN_SECONDS) from error   # since we looked: another one is chosen then
