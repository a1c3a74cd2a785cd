"""What deployd has to know of a kind of service: how its container runs, who may come in, and what must be in it.

One file for each family, one row for each kind in `families.py`. Nothing here starts a container: a family says what
to start, and is handed a way to run programs in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from deployd.engine.specs import Health
from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Service

SERVICE_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""What an entrypoint needs to own its volume and to become the service's user; the service itself has none of them."""

SECRET_FILE = "/run/secrets/root"

Secret = Callable[[str], str]
"""Gives the kept password of a name: an endpoint's, or `root`."""


class Execute(Protocol):
    """Runs a program in the service's container, as root of it."""

    async def __call__(self, argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        """Standard output; raises a DeployError when the exit status is not 0."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service's container is put together from. Holds no secret, so that it can be compared and logged."""

    port: int
    health: Health
    """Ready when its command ends with 0."""
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_environment: tuple[str, ...] = ()
    """Further variables: each names the file with the secret `root`."""
    volume_path: str | None = None
    """Where the data lie; None: nothing outlives the container."""
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = SERVICE_CAPABILITIES
    open_files: int | None = None
    shm_bytes: int | None = None
    crash_safe: bool = False
    """It starts from whatever a power cut leaves in its volume. So its files can be copied while it is paused: that is
    a snapshot of its data, whole, at one moment."""
    settle: tuple[str, ...] = ()
    """Program to run in it right before, so that less is left to be recovered; empty: none is needed."""
    usual_seconds: float = field(default=3.0, repr=False)
    """From the end of one container until another one is ready on its data, as a rule. Not in `repr` either."""
    secret_files: Mapping[str, str] = field(default_factory=dict, repr=False)
    """{one of `families.SECRET_FORMS`: where the container sees the secret `root` in it}. Not in `repr`, of which a
    digest is made: services without a secret are not to be made anew for it."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Users of a kind of service, one for each endpoint; the default one's is called as on the hosted platforms."""

    default_endpoint: str
    default_user: str

    def user_of(self, endpoint: str) -> str:
        return self.default_user if endpoint == self.default_endpoint else endpoint

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {
            endpoint.name: Credential(self.user_of(endpoint.name), secret(endpoint.name), endpoint.default)
            for endpoint in service.endpoints
        }


@dataclass(frozen=True, slots=True)
class Copying:
    """Programs that write all data of a running service to standard output, and read them back from standard input."""

    dump: tuple[str, ...]
    restore: tuple[str, ...]


class Family(Protocol):
    """One kind of service, with its cousins."""

    @property
    def connection(self) -> Connection:
        """How programs connect to each of its endpoints."""
        ...

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        """How its container runs, within so much memory."""
        ...

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        """{endpoint: credential}, for every endpoint."""
        ...

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        """Make schemas, users and privileges what the files say. May run again, also beside live traffic.

        Users that are no longer wanted lose their access; data are never removed.
        """
        ...

    def copying(self, service: Service) -> Copying | None:
        """How its data are dumped and restored while it runs; None: copy the volume instead, or there are none."""
        ...


READY_MARK = "/run/ready"
"""In memory, so that a container that starts again is asked each second again."""
OPEN_READY_MARK = "/tmp/ready"
"""For images that begin as their ordinary user, who may write there."""


def health(check: str, shell: str = "sh", mark: str = READY_MARK) -> Health:
    """Asked each second until the service is ready, and then twice a minute.

    Docker knows only one interval, and asking starts a program: 200 services asked each second would take all of a
    small host. So the command itself waits before it asks again; Docker counts its second from the command's end.

    Args:
        check: Shell command that ends with 0 when the service is ready.
    """
    asked = f"if [ -e {mark} ]; then sleep 29; {check}; else {check} && touch {mark}; fi"
    return Health((shell, "-c", asked), interval_seconds=1, timeout_seconds=45)


def memory_folder(size_mb: int, mode: str = "1777") -> str:
    """Options of a folder in memory."""
    return f"rw,nosuid,nodev,size={size_mb}m,mode={mode}"


RUN_AND_TMP: Mapping[str, str] = {"/run": memory_folder(16, "755"), "/tmp": memory_folder(512)}
