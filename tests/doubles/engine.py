"""An engine in memory: keeps what engines promise (`tests/support/engine_contract.py`), and refuses what they refuse.

Nothing runs: what a command does stands in `programs`. Tests look at `there` and change it as the world would, with
`add`, `end` and `tell`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deployd.catalogue import Catalogue, Entry
from deployd.engine.engine import EVIDENCE_LINES
from deployd.engine.errors import (
    EngineOverran,
    EngineRefused,
    EngineUnreachable,
    NameTaken,
    NoSuchImage,
    NotPaused,
    NotReady,
    NotRunning,
    NotThere,
    StandsStill,
    StillInUse,
    SubnetTaken,
)
from deployd.engine.observed import (
    ContainerSeen,
    EventSeen,
    ExecResult,
    GroupFigures,
    ImageSeen,
    NetworkSeen,
    VolumeSeen,
)
from deployd.engine.specs import (
    AS_ITSELF,
    ContainerSpec,
    Network,
    NetworkOf,
    NetworkSpec,
    RunAs,
    TerminalSize,
    VolumeSpec,
)
from deployd.engine.subnets import next_subnet, overlaps
from tests.doubles.programs import ENDS, KILLED, WAITS, Program, Run, status_of
from tests.doubles.running import FoundDouble, RunningDouble

BASE = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
POOL = "10.213.0.0/16"
LOOK_SECONDS, AGAIN_SECONDS, MOST_RESTARTS = 0.01, 0.1, 3
SLUG = {"/app": "squashfs"}


@dataclass
class _Inside:
    """What is known of a container beyond what is seen of it."""

    spec: ContainerSpec
    sharing: str | None = None
    """Id of the container whose network it is in: known when it was created, and of no other of that name."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Of one that was added by hand."""
    lines: list[tuple[str, str]] = field(default_factory=list)
    mounts: dict[str, str] = field(default_factory=dict)
    """{path: kind} since it was started."""
    program: Program = WAITS
    runs: int = 0
    """How often it was started."""
    is_stopped: bool = False
    """By somebody, so that it is not started again."""


class _Follower:
    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self.queue: asyncio.Queue[EventSeen | None] = asyncio.Queue()

    async def take(self) -> EventSeen | None:
        return await self.queue.get()


class CatalogueImagesDouble:
    """Has every image."""

    async def ensure(self, entry: Entry, tell: Callable[[str], None]) -> str:
        return f"sha256:{entry.image}"


class EngineDouble:
    def __init__(self, folder: Path = Path("/nowhere"), *, images: Collection[str] = ()) -> None:
        """
        Args:
            folder: Where volumes and logs are; what containers print is written there when it is a folder.
            images: Names of those that there are; none: all.
        """
        self.folder = folder
        self.images = {name: ImageSeen(f"sha256:{name}", {}, 2_000_000) for name in images}
        self.has_every_image = not images
        self.there: dict[str, ContainerSeen] = {}
        self.networks_there: dict[str, NetworkSeen] = {}
        self.volumes_there: dict[str, VolumeSeen] = {}
        self.programs: dict[tuple[str, ...], Program | Run] = {}
        self.groups: dict[str, GroupFigures] = {}
        """{container's id: what it uses}"""
        self.commands: list[RunningDouble] = []
        """Those that somebody was, or is, at the streams of; in order."""
        self.started: list[tuple[str, float]] = []
        """(container, seconds of the loop), in order."""
        self.asked: list[str] = []
        """Calls that look at containers: `list`, or a name."""
        self.paused_now: set[str] = set()
        self.reachable = True
        self.unstartable: set[str] = set()
        """Names of containers that the engine refuses to start."""
        self.followers: list[_Follower] = []
        self._inside: dict[str, _Inside] = {}
        self._memory_full: set[str] = set()
        self._pids = 1000

    # What a test does to the world.

    def add(
        self, name: str, labels: Mapping[str, str] | None = None, address: str = "10.0.0.2", network: str = "",
        **more: object,
    ) -> ContainerSeen:
        """Have a container that runs, and sees its slug."""
        self._pids += 1
        labels = {} if labels is None else labels
        addresses = {network: address} if network else {}
        seen = ContainerSeen(name, name, "", "", labels, True, None, "none", addresses, pid=self._pids)
        self.there[name] = seen = replace(seen, **more)   # type: ignore[arg-type]
        self._inside[name] = _Inside(ContainerSpec(name, "", labels), addresses=seen.addresses, mounts=dict(SLUG))
        return seen

    def strand(self, name: str) -> None:
        """The container whose network another one is in is no more."""
        self._inside[name].sharing = "732e"

    def unmount(self, name: str) -> None:
        """A container was started before its slug was mounted."""
        self._inside[name].mounts.clear()

    def end(self, name: str, status: int = KILLED) -> None:
        """A container ends, and is not started again by the engine."""
        self._inside[name].is_stopped = True
        self._end(name, status)

    def print(self, name: str, *lines: str, stream: str = "stdout") -> None:
        inside, seen = self._inside[name], self.there[name]
        inside.lines += [(stream, line) for line in lines]
        if self.folder.is_dir():
            log = self._log_of(seen.id)
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a") as file:
                for line in lines:
                    row = {"log": f"{line}\n", "stream": stream, "time": self._now().isoformat()}
                    file.write(json.dumps(row) + "\n")

    def add_network(self, name: str, labels: Mapping[str, str], bridge: str = "") -> None:
        self.networks_there[name] = NetworkSeen(name, name, (), labels, bridge)

    def break_off(self) -> None:
        """Who follows events is told that the engine has gone away."""
        for follower in self.followers:
            follower.queue.put_nowait(None)

    def tell(self, name: str, action: str) -> None:
        """An event of a container."""
        seen = self.there[name]
        for follower in self.followers:
            if follower.labels.items() <= seen.labels.items():
                follower.queue.put_nowait(EventSeen("container", action, name, seen.id, seen.labels))

    # Containers.

    async def container(self, name: str) -> ContainerSeen | None:
        self._refuse_when_away()
        self.asked.append(name)
        return next((seen for seen in self.there.values() if name in (seen.name, seen.id)), None)

    async def containers(self, labels: Mapping[str, str]) -> tuple[ContainerSeen, ...]:
        self._refuse_when_away()
        self.asked.append("list")
        return tuple(seen for seen in self.there.values() if labels.items() <= seen.labels.items())

    async def create(self, spec: ContainerSpec) -> None:
        self._refuse_when_away()
        if spec.name in self.there:
            return
        image = await self.image(spec.image)
        if image is None:
            raise NoSuchImage(f"cannot create {spec.name}: no such image: {spec.image}")
        for bind in spec.binds:
            if not bind.source.startswith("/"):
                await self.ensure_volume(VolumeSpec(bind.source, {}))
            elif not await asyncio.to_thread(Path(bind.source).exists):
                raise EngineRefused(f"cannot create {spec.name}: bind source path does not exist: {bind.source}")
        network = spec.network if isinstance(spec.network, Network) else None
        own = {network.name: network.address} if network is not None and network.address else {}
        self._pids += 1
        self.there[spec.name] = ContainerSeen(
            spec.name, f"{self._pids:064x}", spec.image, image.id, dict(spec.labels), False, None, "none", {}, own,
        )
        self._inside[spec.name] = _Inside(spec, sharing=self._shared_by(spec))
        self.tell(spec.name, "create")

    async def start(self, name: str) -> None:
        self._refuse_when_away()
        seen = self._find(name)
        if seen.running:
            return
        if name in self.unstartable:
            raise EngineRefused(f"{name} cannot be started")
        inside = self._inside[name]
        if isinstance(inside.spec.network, Network) and inside.spec.network.name not in self.networks_there:
            raise NotThere(f"cannot start {name}: network {inside.spec.network.name} not found")
        if inside.sharing is not None:
            other = next((item for item in self.there.values() if item.id == inside.sharing), None)
            if other is None:
                raise NotThere(f"cannot start {name}: no such container: {inside.sharing}")
            if not other.running:
                raise EngineRefused(f"cannot start {name}: cannot join the network of one that does not run")
        self._start(name)

    async def ensure_container(self, spec: ContainerSpec) -> ContainerSeen:
        await self.create(spec)
        await self.start(spec.name)
        return self.there[spec.name]

    async def ensure_container_gone(self, name: str, stop_seconds: int | None = None) -> None:
        await self.stop(name, stop_seconds)
        if name in self.there:
            self.tell(name, "destroy")
            del self.there[name], self._inside[name]

    async def ensure_renamed(self, name: str, to: str) -> None:
        self._refuse_when_away()
        if name in self.there and to in self.there:
            raise NameTaken(f"cannot rename {name}: {to} is there")
        if name not in self.there:
            self._find(to)
            return
        self.there[to] = replace(self.there.pop(name), name=to)
        self._inside[to] = self._inside.pop(name)
        self.tell(to, "rename")

    async def stop(self, name: str, stop_seconds: int | None = None) -> None:
        self._refuse_when_away()
        seen = self.there.get(name)
        if seen is None or not seen.running:
            return
        inside = self._inside[name]
        inside.is_stopped = True
        patience = inside.spec.stop_seconds if stop_seconds is None else stop_seconds
        if patience:
            self._signal(name, inside.spec.stop_signal or "SIGTERM")
            await self._wait(lambda: not self.there[name].running, patience)
        if self.there[name].running:
            self._end(name, KILLED)

    async def send_signal(self, name: str, signal: str) -> None:
        self._running(name)
        self._signal(name, signal)

    async def wait_until_ended(self, name: str, limit_seconds: float) -> int:
        self._refuse_when_away()
        self._find(name)
        if not await self._wait(lambda: not self.there[name].running, limit_seconds):
            raise EngineOverran(f"cannot wait for the end of {name}: it runs after {limit_seconds:g} s")
        return self.there[name].exit_status or 0

    async def wait_until_dead(self, seen: ContainerSeen) -> None:
        if not await self._wait(lambda: not self._is_alive(seen), 60):
            raise EngineOverran(f"the container {seen.name} has not ended after 60 s")

    async def wait_until_healthy(self, name: str, limit_seconds: float) -> ContainerSeen:
        self._refuse_when_away()

        def is_decided() -> bool:
            seen = self.there.get(name)
            return (seen is None or not seen.running or seen.restarts >= MOST_RESTARTS
                    or seen.health in ("healthy", "none"))

        await self._wait(is_decided, limit_seconds)
        seen = self.there.get(name)
        if seen is not None and seen.running and seen.restarts < MOST_RESTARTS and seen.health in ("healthy", "none"):
            return seen
        raise NotReady(f"{name} did not become ready", where=name, evidence=await self.last_lines(name))

    async def ran_out_of_memory(self, name: str) -> bool:
        self._refuse_when_away()
        return name in self._memory_full or (name in self.there and self.there[name].out_of_memory)

    @asynccontextmanager
    async def paused(self, names: Sequence[str], limit_seconds: float) -> AsyncIterator[None]:
        for name in names:
            self._running(name)
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.paused_now |= set(names)
        try:
            yield
        finally:
            self.paused_now -= set(names)
        if loop.time() - began > limit_seconds:
            raise NotPaused(f"containers do not stand still: they went on after {limit_seconds:g} s")

    async def ensure_going_on(self, name: str) -> None:
        self.paused_now.discard(name)

    # Commands.

    async def execute(
        self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF, *, stdin: bytes | None = None,
        limit_seconds: float = 60,
    ) -> ExecResult:
        self._running(name)
        program = self._program(tuple(argv), run_as, stdin or b"", ENDS)
        if program.seconds is None or program.seconds > limit_seconds:
            await asyncio.sleep(limit_seconds)
            raise EngineOverran(f"cannot run {argv[0]} in {name}: it was still running after {limit_seconds:g} s")
        await asyncio.sleep(program.seconds)
        if program.fills_memory:
            self._memory_full.add(name)
        return ExecResult(program.status, program.stdout.encode(), program.stderr.encode())

    async def start_detached(self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF) -> None:
        self._running(name)

    async def start_command(
        self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF, *, terminal: TerminalSize | None = None,
    ) -> RunningDouble:
        self._running(name)
        if name in self.paused_now:
            raise StandsStill(f"cannot run {argv[0]} in {name}: its container is paused")
        known = self.programs.get(tuple(argv), ENDS)
        running = RunningDouble(
            f"{len(self.commands) + 1:064x}", name, tuple(argv), run_as, terminal,
            lambda stdin: self._program(tuple(argv), run_as, stdin, ENDS), not isinstance(known, Program),
        )
        self.commands.append(running)
        running.begin()
        return running

    async def find_command(self, number: str) -> FoundDouble | None:
        self._refuse_when_away()
        found = next((item for item in self.commands if item.id == number), None)
        return FoundDouble(found) if found is not None else None

    # Output.

    async def last_lines(self, name: str, count: int = EVIDENCE_LINES) -> tuple[str, ...]:
        self._refuse_when_away()
        inside = self._inside.get(name)
        return tuple(line for _, line in inside.lines[-count:]) if inside is not None else ()

    async def log_file(self, container_id: str) -> Path:
        return self._log_of(container_id)

    @asynccontextmanager
    async def events(self, labels: Mapping[str, str]) -> AsyncIterator[_Follower]:
        self._refuse_when_away()
        follower = _Follower(labels)
        self.followers.append(follower)
        try:
            yield follower
        finally:
            self.followers.remove(follower)

    # Probes.

    async def is_alive(self, seen: ContainerSeen) -> bool:
        return self._is_alive(seen)

    async def is_listening(self, seen: ContainerSeen, wanted: int | str) -> bool:
        return any(wanted in program.listens for program in self._in_network_of(seen))

    async def listening_ports(self, seen: ContainerSeen) -> tuple[int, ...]:
        return tuple(sorted({
            item for program in self._in_network_of(seen) for item in program.listens if isinstance(item, int)
        }))

    async def listens_itself(self, seen: ContainerSeen, process: int, wanted: int | str) -> bool:
        return self._is_alive(seen) and wanted in self._inside[seen.name].program.listens

    async def connections_to(self, containers: Collection[ContainerSeen], port: int, path: str) -> int:
        return 0

    async def has_mounted(self, seen: ContainerSeen, path: Path, kind: str) -> bool:
        return self._is_alive(seen) and self._inside[seen.name].mounts.get(str(path)) == kind

    # Networks, volumes, images, figures.

    async def network(self, name: str) -> NetworkSeen | None:
        self._refuse_when_away()
        return next((seen for seen in self.networks_there.values() if name in (seen.name, seen.id)), None)

    async def networks(self, labels: Mapping[str, str]) -> tuple[NetworkSeen, ...]:
        self._refuse_when_away()
        return tuple(seen for seen in self.networks_there.values() if labels.items() <= seen.labels.items())

    async def ensure_network(self, spec: NetworkSpec) -> NetworkSeen:
        self._refuse_when_away()
        if spec.name not in self.networks_there:
            used = [subnet for seen in self.networks_there.values() for subnet in seen.subnets]
            if spec.subnet and overlaps(spec.subnet, used):
                raise SubnetTaken(f"cannot create the network {spec.name}: its pool overlaps with another one")
            subnet = spec.subnet or next_subnet(POOL, 26, used)
            number = f"{len(self.networks_there):064x}"
            self.networks_there[spec.name] = NetworkSeen(
                spec.name, number, (subnet,), dict(spec.labels), spec.bridge or f"br-{number[-12:]}",
            )
        return self.networks_there[spec.name]

    async def ensure_network_gone(self, name: str) -> None:
        self._refuse_when_away()
        if any(seen.running and name in seen.addresses for seen in self.there.values()):
            raise StillInUse(f"cannot remove the network {name}: it has active endpoints")
        self.networks_there.pop(name, None)

    async def volumes(self, labels: Mapping[str, str]) -> tuple[VolumeSeen, ...]:
        self._refuse_when_away()
        return tuple(seen for seen in self.volumes_there.values() if labels.items() <= seen.labels.items())

    async def ensure_volume(self, spec: VolumeSpec) -> None:
        self._refuse_when_away()
        folder = self.folder / "volumes" / spec.name
        self.volumes_there.setdefault(spec.name, VolumeSeen(spec.name, dict(spec.labels), folder))

    async def ensure_volume_gone(self, name: str) -> None:
        self._refuse_when_away()
        if any(bind.source == name for inside in self._inside.values() for bind in inside.spec.binds):
            raise StillInUse(f"cannot remove the volume {name}: volume is in use")
        self.volumes_there.pop(name, None)

    def catalogue_images(self, catalogue: Catalogue) -> CatalogueImagesDouble:
        return CatalogueImagesDouble()

    async def image(self, reference: str) -> ImageSeen | None:
        self._refuse_when_away()
        if self.has_every_image:
            return ImageSeen(f"sha256:{reference}", {}, 2_000_000)
        return next((seen for name, seen in self.images.items() if reference in (name, seen.id)), None)

    async def replaced_images(self) -> tuple[ImageSeen, ...]:
        self._refuse_when_away()
        return ()

    async def images_bytes(self) -> int:
        self._refuse_when_away()
        return sum(seen.size_bytes for seen in self.images.values())

    async def remove_image(self, image: str) -> bool:
        seen = await self.image(image)
        if seen is not None and any(item.image_id == seen.id for item in self.there.values()):
            return False
        self.images = {name: item for name, item in self.images.items() if image not in (name, item.id)}
        return True

    def figures(self, seen: ContainerSeen) -> GroupFigures | None:
        return self.groups.get(seen.id)

    def kills(self, seen: ContainerSeen) -> int | None:
        found = self.groups.get(seen.id)
        return found.kills if found is not None else None

    async def version(self) -> str:
        self._refuse_when_away()
        return "0 (a double)"

    # How it goes on by itself.

    def _start(self, name: str) -> None:
        inside, seen = self._inside[name], self.there[name]
        inside.runs += 1
        inside.is_stopped = False
        inside.mounts = dict.fromkeys(inside.spec.tmpfs, "tmpfs") | SLUG
        inside.program = self._program(inside.spec.command or (), AS_ITSELF, b"", WAITS)
        self._pids += 1
        network = inside.spec.network
        addresses = inside.addresses
        if isinstance(network, Network):
            addresses = {network.name: network.address or self._next_address(network.name)}
        self.there[name] = replace(
            seen, running=True, exit_status=None, pid=self._pids, started_at=self._now(), addresses=addresses,
            health="starting" if inside.spec.health else "none",
        )
        self._memory_full.discard(name)
        self.started.append((name, round(asyncio.get_running_loop().time(), 1)))
        self.tell(name, "start")
        for stream, text in (("stdout", inside.program.stdout), ("stderr", inside.program.stderr)):
            self.print(name, *text.splitlines(), stream=stream)
        run = inside.runs
        if inside.program.seconds is not None:
            self._later(inside.program.seconds, name, run, lambda: self._end(name, inside.program.status))
        if inside.spec.health is not None:
            self._later(inside.spec.health.interval_seconds, name, run, lambda: self._check(name, run, 1))

    def _check(self, name: str, run: int, tries: int) -> None:
        """One run of its health check."""
        health = self._inside[name].spec.health
        assert health is not None
        if self._program(health.command, AS_ITSELF, b"", ENDS).status == 0:
            self.there[name] = replace(self.there[name], health="healthy")
            return
        if tries >= health.retries:
            self.there[name] = replace(self.there[name], health="unhealthy")
        self._later(health.interval_seconds, name, run, lambda: self._check(name, run, tries + 1))

    def _end(self, name: str, status: int) -> None:
        inside, seen = self._inside[name], self.there[name]
        self.there[name] = replace(seen, running=False, exit_status=status, pid=None, health="none", has_ended=True,
                                   addresses={})
        self.tell(name, "die")
        policy = inside.spec.restart
        if not inside.is_stopped and (policy in ("always", "unless-stopped") or (policy == "on-failure" and status)):
            self._later(AGAIN_SECONDS, name, inside.runs, lambda: self._again(name))

    def _again(self, name: str) -> None:
        """By its restart policy."""
        restarts = self.there[name].restarts + 1
        self._start(name)
        self.there[name] = replace(self.there[name], restarts=restarts)

    def _signal(self, name: str, signal: str) -> None:
        program = self._inside[name].program
        if signal in program.on_signal:
            text, status = program.on_signal[signal]
            self.print(name, *text.splitlines())
            self._end(name, status)
        elif signal not in program.ignores:
            self._end(name, status_of(signal))

    def _later(self, seconds: float, name: str, run: int, act: Callable[[], None]) -> None:
        """Unless the container was removed, or started again, by then."""
        inside = self._inside[name]

        def act_if_it_is_there() -> None:
            if inside in self._inside.values() and inside.runs == run:
                act()

        asyncio.get_running_loop().call_later(seconds, act_if_it_is_there)

    async def _wait(self, is_so: Callable[[], bool], limit_seconds: float) -> bool:
        try:
            async with asyncio.timeout(limit_seconds):
                while not is_so():
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return is_so()
        return True

    def _program(self, argv: tuple[str, ...], run_as: RunAs, stdin: bytes, otherwise: Program) -> Program:
        known = self.programs.get(argv, otherwise)
        return known if isinstance(known, Program) else known(run_as, stdin)

    def _in_network_of(self, seen: ContainerSeen) -> list[Program]:
        """All that runs in the network that a container is in."""
        if not self._is_alive(seen):
            return []
        shared = [
            self._inside[name].program for name, item in self.there.items()
            if item.running and self._inside[name].sharing == seen.id
        ]
        return [self._inside[seen.name].program, *shared]

    def _shared_by(self, spec: ContainerSpec) -> str | None:
        if not isinstance(spec.network, NetworkOf):
            return None
        other = self.there.get(spec.network.container)
        return other.id if other is not None else spec.network.container

    def _is_alive(self, seen: ContainerSeen) -> bool:
        return seen.pid is not None and any(item.pid == seen.pid for item in self.there.values())

    def _next_address(self, network: str) -> str:
        prefix = self.networks_there[network].subnets[0].rpartition(".")[0]
        used = {item.addresses.get(network) for item in self.there.values()}
        return next(address for number in range(2, 60) if (address := f"{prefix}.{number}") not in used)

    def _find(self, name: str) -> ContainerSeen:
        if name not in self.there:
            raise NotThere(f"no such container: {name}")
        return self.there[name]

    def _running(self, name: str) -> ContainerSeen:
        self._refuse_when_away()
        seen = self._find(name)
        if not seen.running:
            raise NotRunning(f"the container {name} is not running")
        return seen

    def _refuse_when_away(self) -> None:
        if not self.reachable:
            raise EngineUnreachable("the engine does not answer")

    def _log_of(self, container_id: str) -> Path:
        return self.folder / "containers" / container_id / f"{container_id}-json.log"

    def _now(self) -> datetime:
        return BASE + timedelta(seconds=asyncio.get_running_loop().time())
