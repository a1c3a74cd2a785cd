"""The Docker Engine as deployd sees it: one class, put together from a file for each kind of object.

It knows nothing of deployments, and decides nothing but "is it there already".
"""

from __future__ import annotations

from pathlib import Path

from deployd.catalogue import Catalogue
from deployd.engine.docker.connection import SOCKET
from deployd.engine.docker.execs import Execs
from deployd.engine.docker.groups import Groups
from deployd.engine.docker.image_store import ImageStore
from deployd.engine.docker.images import Images
from deployd.engine.docker.logs import Logs
from deployd.engine.docker.memory import Memory
from deployd.engine.docker.networks import Networks
from deployd.engine.docker.pauses import Pauses
from deployd.engine.docker.probes import Probes
from deployd.engine.docker.running import Running
from deployd.engine.docker.volumes import Volumes
from deployd.engine.observed import ContainerSeen, GroupFigures


class Engine(Logs, Memory, Pauses, Execs, Running, Networks, Volumes, ImageStore, Probes):
    """One Docker Engine; enter it to connect. Every `ensure` may run twice, every call has a limit.

    Raises:
        EngineUnreachable: Nobody answers on the socket (on entering, and from every call).
        EngineTooOld: It speaks no version of the API that deployd knows.
    """

    def __init__(self, path: Path | str = SOCKET) -> None:
        super().__init__(path)
        self._groups = Groups()

    def catalogue_images(self, catalogue: Catalogue) -> Images:
        return Images(self.docker, catalogue)

    def figures(self, seen: ContainerSeen) -> GroupFigures | None:
        return self._groups.figures(seen)

    def kills(self, seen: ContainerSeen) -> int | None:
        return self._groups.kills(seen)

