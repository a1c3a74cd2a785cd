"""What the Engine asks Docker for."""

from dataclasses import replace

from deployd.engine.docker.render import MOST_OPEN_FILES, render_container, render_network, render_volume
from deployd.engine.specs import Bind, ContainerSpec, Health, HostNetwork, Network, NetworkOf, NetworkSpec, VolumeSpec

BARE = ContainerSpec("web", "image", {"deployd": "test"})


def test_a_bare_container_is_locked_down():
    body = render_container(BARE)
    host = body["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == []
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == 1024
    assert host["NetworkMode"] == "none"
    assert host["Init"] is True
    assert host["LogConfig"]["Config"] == {"max-size": "10000000", "max-file": "3"}
    assert "NetworkingConfig" not in body
    assert "Entrypoint" not in body
    assert "Cmd" not in body


def test_limits_are_given_in_dockers_units():
    host = render_container(ContainerSpec(
        "web", "image", {}, memory_bytes=1_000, cpus=1.5, open_files=99, shm_bytes=7, pids=None,
    ))["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (1_000, 1_000)
    assert host["NanoCpus"] == 1_500_000_000
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 99, "Hard": 99}]
    most = render_container(replace(BARE, open_files=10**12))["HostConfig"]["Ulimits"][0]["Hard"]
    assert most == MOST_OPEN_FILES < 10**12, "a container that is to have more than the host does not start"
    assert host["ShmSize"] == 7
    assert "PidsLimit" not in host


def test_an_absolute_source_is_a_folder_and_any_other_a_volume():
    mounts = render_container(ContainerSpec(
        "web", "image", {}, binds=(Bind("/srv/a", "/app", read_only=True), Bind("data", "/data")),
    ))["HostConfig"]["Mounts"]
    assert mounts == [
        {"Type": "bind", "Source": "/srv/a", "Target": "/app", "ReadOnly": True},
        {"Type": "volume", "Source": "data", "Target": "/data", "ReadOnly": False},
    ]


def test_a_network_brings_aliases_and_links_but_dockers_own_do_not():
    spec = ContainerSpec("web", "image", {}, network=Network("net", aliases=("a",), links={"db.internal": "the-db"}))
    assert render_container(spec)["HostConfig"]["NetworkMode"] == "net"
    assert render_container(spec)["NetworkingConfig"] == {
        "EndpointsConfig": {"net": {"Aliases": ["a"], "Links": ["the-db:db.internal"]}},
    }
    for network, mode in ((HostNetwork(), "host"), (NetworkOf("other"), "container:other")):
        body = render_container(ContainerSpec("web", "image", {}, network=network))
        assert "NetworkingConfig" not in body
        assert body["HostConfig"]["NetworkMode"] == mode


def test_an_address_of_its_own_is_asked_for_with_the_network():
    spec = ContainerSpec("web", "image", {}, network=Network("net", "10.1.0.40"))
    endpoint = render_container(spec)["NetworkingConfig"]["EndpointsConfig"]["net"]
    assert endpoint["IPAMConfig"] == {"IPv4Address": "10.1.0.40"}


def test_an_empty_entrypoint_takes_the_images_own_away():
    assert render_container(ContainerSpec("web", "image", {}, entrypoint=()))["Entrypoint"] == [""]


def test_a_health_check_counts_in_nanoseconds():
    health = render_container(ContainerSpec("web", "image", {}, health=Health(("true",), 0.5, 2, 3, 1)))["Healthcheck"]
    assert health == {
        "Test": ["CMD", "true"], "Interval": 500_000_000, "Timeout": 2_000_000_000, "StartPeriod": 1_000_000_000,
        "Retries": 3,
    }


def test_a_network_has_the_subnet_that_it_was_given():
    named = render_network(NetworkSpec("net", "10.1.0.0/26", {}, bridge="dpabcd", apart=True))
    assert named["Options"] == {
        "com.docker.network.bridge.enable_icc": "false", "com.docker.network.bridge.name": "dpabcd",
    }
    body = render_network(NetworkSpec("net", "10.1.0.0/26", {"deployd": "test"}, internal=True))
    assert body["IPAM"]["Config"] == [{"Subnet": "10.1.0.0/26"}]
    assert body["Internal"] is True


def test_docker_gives_addresses_of_a_part_of_the_subnet_only():
    body = render_network(NetworkSpec("net", "10.1.0.0/26", {}, given="10.1.0.0/27"))
    assert body["IPAM"]["Config"] == [{"Subnet": "10.1.0.0/26", "IPRange": "10.1.0.0/27"}]


def test_a_volume_has_its_options():
    assert render_volume(VolumeSpec("v", {}, {"type": "tmpfs"}))["DriverOpts"] == {"type": "tmpfs"}
