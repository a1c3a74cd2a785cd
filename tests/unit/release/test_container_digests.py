"""A container of the version before is recognised as unchanged: what its label says is made the same way for ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deployd.engine.names import DIGEST, Names
from deployd.engine.specs import Bind, ContainerSpec, HostNetwork, Network, NoNetwork
from deployd.engine.trust import STORE
from deployd.ids import ActivityId, EnvironmentId
from deployd.project.model import Application, Commands, Instance, Mount, Web
from deployd.release.applications.containers import InstanceParts, app_container, web_container, worker_container
from deployd.release.digests import container_text, digest
from deployd.router.paths import RouterPlaces
from deployd.router_process.container import router_container
from deployd.settings import Size

MOUNT = Mount("public/thumbs", "local", "thumbs")
APP = Application("app", "php", "8.4", "", Web(Instance(Commands(), mounts=(MOUNT,)), "unix", "fastcgi", ()))


def parts(name: str, *trust: Bind) -> InstanceParts:
    return InstanceParts(
        names=Names("deployd", EnvironmentId.read("shop/main-bvxea6p")), activity=ActivityId(7), app=APP,
        instance=APP.web.instance, part=name, image="sha256:1", slug=Path("/slugs/1"), uid=2_000_000,
        mounts=(Path("/run/mounts/0"),), identity=Path("/identity"), sockets=Path("/sockets"),
        configuration=Path("/configuration"), scripts=Path("/scripts"), environment={"A": "it's"},
        links={"db.internal": "deployd-shop-main-bvxea6p-db"}, hosts={"shop.test": "10.0.0.1"}, trust=trust,
        size=Size(memory_mb=128, cpus=1),
    )


def test_digests_are_those_of_the_version_before() -> None:
    """The figures were written down by the version in which a network was a word."""
    web = web_container(parts("app"), "web", Path("/web"), "10.0.0.2")
    own = app_container(parts("app", Bind("/trust", str(STORE), read_only=True)))
    worker = worker_container(parts("app--w"))
    assert [digest(["seen", container_text(spec)]) for spec in (web, own, worker)] == [
        "238092c63fe55b3d", "b1f0cd7f139c1dc1", "c768a43f8910d7e5",
    ]
    assert digest(["seen", {"nginx.conf": "x"}, container_text(web), container_text(own)]) == "f826bd81444cd528"
    router = router_container("deployd", "image", "id", RouterPlaces(Path("/run/deployd")), Path("/certs"))
    assert router.labels[DIGEST] == "d399854c79a773f5"


def test_the_address_is_none_of_a_digest_and_everything_else_of_the_network_is() -> None:
    network = Network("net", "10.0.0.2", ("a",), {"db": "x"}, {"h": "10.0.0.1"})
    spec = ContainerSpec("name", "image", {}, network=network)
    same = container_text(replace(spec, network=replace(network, address="10.0.0.3")))
    assert same == container_text(spec)
    others = (
        NoNetwork(), HostNetwork(), replace(network, name="other"), replace(network, aliases=()),
        replace(network, links={}), replace(network, hosts={}),
    )
    assert same not in {container_text(replace(spec, network=other)) for other in others}
