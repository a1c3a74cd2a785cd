"""What can go wrong with an engine, in words of ours. What its library raises travels no further than its folder."""

from __future__ import annotations

from typing import ClassVar

from deployd.errors import DeployError


class EngineUnreachable(DeployError):
    """The engine does not answer, or its answer broke off."""

    code: ClassVar[str] = "engine-unreachable"
    again_in_seconds: ClassVar[float | None] = 3.0   # five tries in 45 s: longer than an engine takes to restart


class EngineTooOld(DeployError):
    """The engine is older, or so much newer, that it does not speak the API that we do."""

    code: ClassVar[str] = "engine-too-old"


class EngineOverran(DeployError):
    """The engine did not answer in time."""

    code: ClassVar[str] = "engine-overran"


class EngineRefused(DeployError):
    """The engine said no, for a reason that nobody reacts to; its own words are in the text."""

    code: ClassVar[str] = "engine-refused"


class MountsUnreadable(EngineRefused):
    """Nothing can be started: somebody moved a folder that is mounted too deep. Upkeep soon takes that mount away."""

    code: ClassVar[str] = "mounts-unreadable"
    again_in_seconds: ClassVar[float | None] = 3.0


class NotThere(DeployError):
    """The container, network or volume does not exist."""

    code: ClassVar[str] = "not-there"


class NoSuchImage(NotThere):
    """The image is not on this host."""

    code: ClassVar[str] = "no-such-image"


class NameTaken(DeployError):
    """Another container has the name already."""

    code: ClassVar[str] = "name-taken"


class PortTaken(DeployError):
    """Another program listens on the port already."""

    code: ClassVar[str] = "port-taken"


class SubnetTaken(DeployError):
    """Another network has addresses of the subnet already."""

    code: ClassVar[str] = "subnet-taken"


class StillInUse(DeployError):
    """A network or volume cannot go while containers use it."""

    code: ClassVar[str] = "still-in-use"


class NotRunning(DeployError):
    """The container exists and does not run."""

    code: ClassVar[str] = "not-running"


class StandsStill(DeployError):
    """The container is paused, and nothing can be begun in it until it goes on."""

    code: ClassVar[str] = "stands-still"


class NotPaused(DeployError):
    """Containers could not be made to stand still, or went on before they were to."""

    code: ClassVar[str] = "not-paused"


class NotReady(DeployError):
    """A container did not become ready in its time, or ended; its last log lines are the evidence."""

    code: ClassVar[str] = "not-ready"


class NoSubnetLeft(DeployError):
    """Every subnet of the pool is in use."""

    code: ClassVar[str] = "no-subnet-left"


class NoAddressLeft(DeployError):
    """Every address of an environment's subnet that deployd gives itself is taken."""

    code: ClassVar[str] = "no-address-left"


class ScriptLost(DeployError):
    """A script is gone without having said how it ended: its container was killed, or never began it."""

    code: ClassVar[str] = "script-lost"


class ScriptOverran(DeployError):
    """A script was still running when its time was over, and was ended."""

    code: ClassVar[str] = "script-overran"


class ImageNotMade(DeployError):
    """An image of the catalogue could not be made or pulled."""

    code: ClassVar[str] = "image-not-made"


class ImageNotFetched(ImageNotMade):
    """The registry, or a server of Debian's packages, could not be reached."""

    again_in_seconds: ClassVar[float | None] = 10.0
