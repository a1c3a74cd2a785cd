"""The Docker Engine as deployd sees it: one class, put together from a file for each kind of object.

It knows nothing of deployments, and decides nothing but "is it there already".
"""

from __future__ import annotations

from deployd.engine.docker.execs import Execs
from deployd.engine.docker.image_store import ImageStore
from deployd.engine.docker.logs import Logs
from deployd.engine.docker.memory import Memory
from deployd.engine.docker.networks import Networks
from deployd.engine.docker.pauses import Pauses
from deployd.engine.docker.probes import Probes
from deployd.engine.docker.volumes import Volumes


class Engine(Logs, Memory, Pauses, Execs, Networks, Volumes, ImageStore, Probes):
    """One Docker Engine; enter it to connect. Every `ensure` may run twice, every call has a limit.

    Raises:
        EngineUnreachable: Nobody answers on the socket (on entering, and from every call).
        EngineTooOld: It speaks no version of the API that deployd knows.
    """

