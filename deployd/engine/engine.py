"""What deployments, upkeep and the router need of an engine that runs containers, in words that any can keep.

Who works with containers is handed an `Engine`, or the part of it that is needed; only `daemon/` says which one it is.
Each engine is a folder beside this file. What all of them promise stands here;
`tests/support/engine_contract.py` asks whether they keep it.

Every `ensure` may run twice and leaves what one run leaves, every call has a limit, and every call may raise
`EngineUnreachable` or `EngineOverran`. What an engine refuses comes as an error of `errors.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from deployd.catalogue import Catalogue, Entry
from deployd.engine.observed import (
    ContainerSeen,
    EventSeen,
    ExecResult,
    GroupFigures,
    ImageSeen,
    NetworkSeen,
    VolumeSeen,
)
from deployd.engine.specs import AS_ITSELF, ContainerSpec, NetworkSpec, RunAs, TerminalSize, VolumeSpec

EVIDENCE_LINES = 20


class EventFollower(Protocol):
    async def take(self) -> EventSeen | None:
        """The next event; None when the engine has gone away: follow again, and look at the world again."""
        ...


class Containers(Protocol):
    """Have this run, and see what becomes of it."""

    async def container(self, name: str) -> ContainerSeen | None:
        """The container of this name or whole id."""
        ...

    async def containers(self, labels: Mapping[str, str]) -> tuple[ContainerSeen, ...]:
        """Every container, running or not, that carries all of these labels. One call, however many there are."""
        ...

    async def create(self, spec: ContainerSpec) -> None:
        """Create a container without starting it; one of this name that is there already is kept as it is.

        Raises:
            NoSuchImage: Its image is not on this host.
            EngineRefused: The engine does not want it so; a folder of the host that is not there, for example.
        """
        ...

    async def start(self, name: str) -> None:
        """Start a container; one that runs is left alone.

        Raises:
            NotThere: It does not exist, or its network does not.
            PortTaken: Another program has a port that it wants.
        """
        ...

    async def ensure_container(self, spec: ContainerSpec) -> ContainerSeen:
        """Have a container of this name run: created if absent, started if it does not run, kept if it does.

        One with the same name and another specification is kept too: who compares digests removes it first.

        Raises:
            As `create` and `start`.
        """
        ...

    async def ensure_container_gone(self, name: str, stop_seconds: int | None = None) -> None:
        """Stop a container and remove it with its anonymous volumes. Gone already is fine.

        Args:
            stop_seconds: How long it may take to end by itself; 0 kills it at once; None as its spec says.
        """
        ...

    async def ensure_renamed(self, name: str, to: str) -> None:
        """Give a container another name; one that has it already is left alone.

        Raises:
            NotThere: There is neither.
            NameTaken: Both are there.
        """
        ...

    async def stop(self, name: str, stop_seconds: int | None = None) -> None:
        """Ask a container to end, and kill it when it has not after `stop_seconds` (None: as its spec says).

        Ended or gone already is fine.
        """
        ...

    async def send_signal(self, name: str, signal: str) -> None:
        """Signal the first process of a container.

        Raises:
            NotThere, NotRunning: There is none.
        """
        ...

    async def wait_until_ended(self, name: str, limit_seconds: float) -> int:
        """Exit status of a container, which may have ended already.

        Raises:
            NotThere: It does not exist.
            EngineOverran: It still runs.
        """
        ...

    async def wait_until_dead(self, seen: ContainerSeen) -> None:
        """Wait until no process is left of a container that is about to end, whatever the engine still has to tidy.

        Args:
            seen: The container when it ran.

        Raises:
            EngineOverran: It does not end.
        """
        ...

    async def wait_until_healthy(self, name: str, limit_seconds: float) -> ContainerSeen:
        """Wait until the health check of a container is satisfied; one without a check has to run, no more.

        Raises:
            NotReady: It was not in time, or ended, or is not there; its last lines are the evidence.
        """
        ...

    async def ran_out_of_memory(self, name: str) -> bool:
        """Whether something in the container was killed for want of memory since it was started; gone: no."""
        ...

    def paused(self, names: Sequence[str], limit_seconds: float) -> AbstractAsyncContextManager[None]:
        """Have running containers stand still, all at once; whoever talks to one waits. They go on at the end.

        Ask the engine nothing of them meanwhile.

        Args:
            limit_seconds: They go on after it all the same.

        Raises:
            NotThere, NotRunning: There is no such container, or it does not run.
            NotPaused: One did not stand still, or (at the end) not all of the time.
        """
        ...

    async def ensure_going_on(self, name: str) -> None:
        """Let a container go on that a daemon before us may have paused; gone is fine."""
        ...


class RunningCommand(Protocol):
    """A command in a container, with a socket that is its streams. Whoever has that one need not be this process."""

    @property
    def id(self) -> str:
        """By which another process finds it again, and which nobody guesses."""
        ...

    @property
    def streams(self) -> socket.socket | None:
        """What is sent there is its input, which ends with that half of the connection. What comes is its output: on a
        terminal as it is, else in frames (`deployd.frames`). Whoever started it closes it; None: it was found again."""
        ...

    async def resize(self, size: TerminalSize) -> None:
        """Tell a command on a terminal its new size. One that has ended, or has no terminal, is not told."""
        ...

    async def send_signal(self, signal: str) -> None:
        """Signal (`SIGINT`) the command and what it started in its process group. Gone already is fine."""
        ...

    async def wait_until_over(self) -> None:
        """Until its own process has ended. What it left behind may keep its output open."""
        ...

    async def wait(self) -> int:
        """How it ended; may be known only when its streams are closed. One that the kernel killed: 128 and the signal.

        Raises:
            NotThere: Its container was removed.
        """
        ...

    async def end(self) -> None:
        """End whatever of it and of what it started is left. It leads a session of its own (setsid(2)), and all that is
        in there is ended; what called setsid itself goes on with the container. This or `let_go` must be called at
        last."""
        ...

    def let_go(self) -> None:
        """Leave it to somebody else, who finds it by its id."""
        ...


class Commands(Protocol):
    """Run this in a container that runs, and tell how it ended."""

    async def start_command(
        self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF, *, terminal: TerminalSize | None = None,
    ) -> RunningCommand:
        """Start a command for somebody who is there; it has begun when this returns.

        Args:
            terminal: Give it a terminal of this size; None: pipes.

        Raises:
            NotThere, NotRunning: There is no such container, or it does not run.
            StandsStill: It is paused.
            EngineRefused: The command cannot be started.
        """
        ...

    async def find_command(self, number: str) -> RunningCommand | None:
        """A command that an earlier process started, by its id. None: the engine knows no such one any more."""
        ...

    async def execute(
        self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF, *, stdin: bytes | None = None,
        limit_seconds: float = 60,
    ) -> ExecResult:
        """Run a command to its end. A status other than 0 is an answer, not an error.

        Raises:
            NotThere, NotRunning: There is no such container, or it does not run.
            EngineOverran: It ran longer than `limit_seconds`; it was killed.
        """
        ...

    async def start_detached(self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF) -> None:
        """Start a command and leave it alone.

        Raises:
            NotThere, NotRunning: There is no such container, or it does not run.
        """
        ...


class Output(Protocol):
    """What containers print, and what happens to them."""

    async def last_lines(self, name: str, count: int = EVIDENCE_LINES) -> tuple[str, ...]:
        """The last lines that a container wrote to both streams, oldest first; nothing when it is gone."""
        ...

    async def log_file(self, container_id: str) -> Path:
        """The file of the host to which all that a container prints is added, and which goes with the container.

        A line of JSON for each line, with `log`, `stream` and `time`. A full one becomes `….1`, that one `….2`.
        """
        ...

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[EventFollower]:
        """What happens from now on to all that carries these labels."""
        ...


class Probes(Protocol):
    """What the kernel knows of a container, asked without a connection and without the engine.

    `seen` is a container that was looked at by its name. Of one that has ended since the answer is no, none or 0.
    """

    async def is_alive(self, seen: ContainerSeen) -> bool:
        """Whether its first process lives."""
        ...

    async def is_listening(self, seen: ContainerSeen, wanted: int | str) -> bool:
        """Whether a TCP port or the path of a Unix socket is listened on in its network."""
        ...

    async def listening_ports(self, seen: ContainerSeen) -> tuple[int, ...]:
        """TCP ports that are listened on in its network, in order."""
        ...

    async def listens_itself(self, seen: ContainerSeen, process: int, wanted: int | str) -> bool:
        """Whether a process itself, and no child of it, has the socket open on which is listened; no when unknown.

        Args:
            process: Its number as the container counts.
        """
        ...

    async def connections_to(self, containers: Collection[ContainerSeen], port: int, path: str) -> int:
        """How many connections lead to a port of 127.0.0.1, or to a Unix socket, in their networks."""
        ...

    async def has_mounted(self, seen: ContainerSeen, path: Path, kind: str) -> bool:
        """Whether a file system of this kind is mounted at a path, as the container sees it."""
        ...


class Networks(Protocol):
    async def network(self, name: str) -> NetworkSeen | None:
        """The network of this name or whole id."""
        ...

    async def networks(self, labels: Mapping[str, str]) -> tuple[NetworkSeen, ...]:
        """Networks that carry all of these labels; no labels: every network of the host, for its subnet."""
        ...

    async def ensure_network(self, spec: NetworkSpec) -> NetworkSeen:
        """Have a network of this name; one that is there keeps the subnet it has.

        Raises:
            SubnetTaken: Another network or a route of the host has addresses of this subnet.
        """
        ...

    async def ensure_network_gone(self, name: str) -> None:
        """Remove a network; gone already is fine.

        Raises:
            StillInUse: Containers that run are on it.
        """
        ...


class Volumes(Protocol):
    async def volumes(self, labels: Mapping[str, str]) -> tuple[VolumeSeen, ...]:
        """Volumes that carry all of these labels."""
        ...

    async def ensure_volume(self, spec: VolumeSpec) -> None:
        """Have a volume of this name; one that is there is kept with its data."""
        ...

    async def ensure_volume_gone(self, name: str) -> None:
        """Remove a volume and its data; gone already is fine.

        Raises:
            StillInUse: A container has it, running or not.
        """
        ...


class CatalogueImages(Protocol):
    """Images of the catalogue, for all who need one at the same time."""

    async def ensure(self, entry: Entry, tell: Callable[[str], None]) -> str:
        """Id of the entry's image, which is there and as its recipe wants it: made or pulled when it is not.

        Args:
            tell: Told what is done, and how long it took; not called when nothing has to be done.

        Raises:
            ImageNotMade: It could not be made or pulled.
        """
        ...


class Images(Protocol):
    def catalogue_images(self, catalogue: Catalogue) -> CatalogueImages:
        """Where images of a catalogue are had from."""
        ...

    async def image(self, reference: str) -> ImageSeen | None:
        """The image of this name or id, if it is on this host."""
        ...

    async def replaced_images(self) -> tuple[ImageSeen, ...]:
        """Images that deployd made, that have lost their name to a newer one and that no container has."""
        ...

    async def images_bytes(self) -> int:
        """What all images take on the disk, what several have in common once."""
        ...

    async def remove_image(self, image: str) -> bool:
        """Remove an image. False: a container or another image has it; gone already is fine."""
        ...


class Figures(Protocol):
    """What containers use, as the kernel counts it. None: the container does not run. Blocking; for a thread."""

    def figures(self, seen: ContainerSeen) -> GroupFigures | None: ...
    def kills(self, seen: ContainerSeen) -> int | None:
        """Only the number of processes that were killed for want of memory."""
        ...


class Engine(Containers, Commands, Output, Probes, Networks, Volumes, Images, Figures, Protocol):
    """All that is asked of an engine."""

    async def version(self) -> str:
        """What it calls its version, for people; costs next to nothing."""
        ...
