"""Which containers an environment has, as specifications (design: an environment's containers). Pure.

    network ── service containers    live as long as their configuration stays the same
             ├ web container         nginx, the slug at /app, mounts, one for each version
             │  └ app container      runtime, the same slug and mounts, in the web container's network
             └ worker containers     one for each worker

Nothing here touches an engine or the disk; `start.py` does, with what it finds here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deployd.engine.names import OUTBOUND, Names
from deployd.engine.script import SCRIPTS_FOLDER
from deployd.engine.specs import Bind, ContainerSpec, Network, NetworkMode, NetworkOf
from deployd.environment.platform import APP_FOLDER
from deployd.firewall.outbound import Outbound, encode_outbound
from deployd.ids import ActivityId
from deployd.project.model import Application, Instance
from deployd.release.data.volumes import ordered
from deployd.release.identity import identity_binds
from deployd.settings import Size
from deployd.units import MEGABYTE

RUN_FOLDER = "/run/app"
CONFIG_FOLDER = "/etc/deployd"
BODIES_MB = 768
"""Of the bodies of requests that nginx reads before the application gets them: three of the largest at once. A further
one is answered 500."""


@dataclass(frozen=True, slots=True)
class InstanceParts:
    """What an app or worker container is put together from."""

    names: Names
    activity: ActivityId
    app: Application
    instance: Instance
    part: str
    """`shop`, `shop.2` for its second instance, or `shop--mailer` for a worker."""
    image: str
    slug: Path
    """Where the slug is mounted on the host."""
    uid: int
    """Number of the user and group that everything of the project runs as."""
    mounts: tuple[Path, ...]
    """Where the folders of the instance's mounts are staged on the host, in the order of `volumes.ordered`."""
    identity: Path
    """Folder with `passwd` and `group`."""
    configuration: Path
    """Folder with `start`, `run-config.json` and what the runtime reads, seen at /etc/deployd."""
    scripts: Path
    """Folder for hooks and crons, their output and status."""
    sockets: Path
    """Folder for the application's Unix socket, shared by its app and web containers.

    Not a volume of Docker in memory: Docker 20.10 counts such mounts wrong after it was killed, and then never removes
    the volume ("volume has active mounts")."""
    environment: Mapping[str, str]
    links: Mapping[str, str]
    hosts: Mapping[str, str]
    """{name: address} of its hosts file."""
    trust: tuple[Bind, ...]
    """What it trusts over TLS in place of what its image does."""
    size: Size

    @property
    def user(self) -> str:
        """`uid:gid`"""
        return f"{self.uid}:{self.uid}"

    @property
    def owned(self) -> str:
        """Options of a file system in memory that belongs to them."""
        return f"uid={self.uid},gid={self.uid}"


def outbound_label(instance: Instance) -> Mapping[str, str]:
    """On the container whose network an instance lives in; none where everything is allowed."""
    return {} if instance.firewall is None else {OUTBOUND: encode_outbound(Outbound(instance.firewall))}


def mount_binds(parts: InstanceParts) -> tuple[Bind, ...]:
    """The read-write folders of an instance, in the order in which they may be mounted."""
    pairs = zip(parts.mounts, ordered(parts.instance), strict=True)
    return tuple(Bind(str(place), f"{APP_FOLDER}/{mount.path}") for place, mount in pairs)


def app_container(parts: InstanceParts) -> ContainerSpec:
    """The application. It lives in its web container's network, so that one that listens on 127.0.0.1 is reached.

    Not the other way round: an application that dies and comes back finds the network where it was.
    """
    web = parts.names.container(parts.activity, "web", parts.part)
    socket = Bind(str(parts.sockets), RUN_FOLDER)
    return _instance_container(parts, "app", parts.part, NetworkOf(web), (socket,))


def worker_container(parts: InstanceParts) -> ContainerSpec:
    network = Network(parts.names.network, links=parts.links, hosts=parts.hosts)
    spec = _instance_container(parts, "worker", parts.part, network, ())
    return replace(spec, labels={**spec.labels, **outbound_label(parts.instance)})


def _instance_container(
    parts: InstanceParts, role: str, part: str, network: NetworkMode, more: tuple[Bind, ...],
) -> ContainerSpec:
    return ContainerSpec(
        name=parts.names.container(parts.activity, role, part),
        image=parts.image,
        labels=parts.names.labels(role, part, parts.activity),
        command=("sh", f"{CONFIG_FOLDER}/start"),
        entrypoint=(),
        environment=parts.environment,
        user=parts.user,
        working_folder=APP_FOLDER,
        network=network,
        binds=(
            Bind(str(parts.slug), APP_FOLDER, read_only=True),
            Bind(str(parts.configuration), CONFIG_FOLDER, read_only=True),
            Bind(str(parts.configuration / "run-config.json"), "/run/config.json", read_only=True),
            Bind(str(parts.scripts), SCRIPTS_FOLDER),
            *identity_binds(parts.identity),
            *parts.trust,
            *more,
            *mount_binds(parts),
        ),
        tmpfs={
            "/tmp": "rw,exec,nosuid,nodev,size=1g,mode=1777",
            "/run": f"rw,nosuid,nodev,size=64m,{parts.owned}",
            "/var/log": f"rw,nosuid,nodev,size=128m,{parts.owned}",
            "/home/web": f"rw,exec,nosuid,nodev,size=256m,{parts.owned}",
        },
        memory_bytes=parts.size.memory_mb * MEGABYTE,
        cpus=parts.size.cpus,
        restart="on-failure",
        stop_seconds=15,
    )


def web_container(parts: InstanceParts, image: str, configuration: Path, address: str) -> ContainerSpec:
    """nginx in front of the application: same slug, same mounts (read-only), same socket, and the network of both."""
    mounts = tuple(Bind(bind.source, bind.target, read_only=True) for bind in mount_binds(parts))
    # The first is that of all instances: a relationship leads to it, and so to whichever of them runs.
    aliases = tuple(dict.fromkeys(parts.names.alias(parts.activity, name) for name in (parts.app.name, parts.part)))
    return ContainerSpec(
        name=parts.names.container(parts.activity, "web", parts.part),
        image=image,
        labels={**parts.names.labels("web", parts.part, parts.activity), **outbound_label(parts.instance)},
        entrypoint=(),
        command=("nginx", "-e", "stderr", "-c", f"{CONFIG_FOLDER}/nginx.conf", "-g", "daemon off;"),
        user=parts.user,
        network=Network(
            parts.names.network, address, aliases=aliases,
            links=parts.links, hosts=parts.hosts,
        ),
        binds=(
            Bind(str(parts.slug), APP_FOLDER, read_only=True),
            Bind(str(configuration), CONFIG_FOLDER, read_only=True),
            *identity_binds(parts.identity),
            Bind(str(parts.sockets), RUN_FOLDER),
            *mounts,
        ),
        tmpfs={
            "/tmp": f"rw,nosuid,nodev,size={BODIES_MB}m,mode=1777",
            "/run": f"rw,nosuid,nodev,size=16m,{parts.owned}",
        },
        memory_bytes=(256 + BODIES_MB) * MEGABYTE,   # what lies in memory counts, and nginx must not be killed for it
        cpus=max(1.0, parts.size.cpus),   # files are served fast, and no rule of a project takes the whole host
        open_files=16_384,
        restart="on-failure",
        stop_signal="SIGQUIT",   # nginx answers what is under way, then ends
        stop_seconds=30,
    )
