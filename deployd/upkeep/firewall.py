"""The wall around containers stays up: what somebody flushes is put back within a round.

What a container may connect to stands on its label, and its address is known from when it was created. So a container
is admitted between both: created, listed, started. What is listed is read from the engine each time.

At the start it is put before any container is started, and a daemon that cannot put it does not start: closed. When it
is lost later and cannot be put back, what is live goes on and `/status` says so at every look: loud.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import structlog

from deployd.engine.engine import Engine
from deployd.engine.names import ASIDE, ENVIRONMENT, OUTBOUND, PROJECT, PUBLIC, ROLE, bridge_prefix, instance_labels
from deployd.engine.observed import ContainerSeen
from deployd.engine.specs import ContainerSpec, Network
from deployd.errors import DeployError
from deployd.firewall.kernel_table import FirewallNotKept, KernelTable
from deployd.firewall.outbound import CLOSED, Names, Outbound, parse_outbound
from deployd.firewall.rules import FirewallRules, RouterPorts, parse_name_servers, render_rules, table_name
from deployd.public_addresses import Address
from deployd.settings import Settings
from deployd.upkeep.outbound_names import OutboundNames

log = structlog.get_logger()

ROUND_SECONDS = 10.0
LOOK_EVERY = 6
"""Rounds: whoever makes a container tells of it (`admit`), so that only what others did is found late."""
NAMES_SECONDS = 5.0
"""Between two looks at which host names are to be asked."""
MOST_OF_PROJECT = 40
"""Different sets of rules of one project, in all its environments: the kernel takes a second for a hundred large ones.
"""
NO_NAMES: Names = MappingProxyType({})
RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""Docker takes name servers of containers from the second when the first only names systemd's own."""
DOCKER_SETTINGS = Path("/etc/docker/daemon.json")


@dataclass(frozen=True, slots=True)
class Around:
    """What of an engine the rules are made of."""

    earlier: tuple[str, ...] = ()
    """Interfaces of networks that were made before ours had names of their own."""
    sources: Mapping[str, Outbound] = field(default_factory=dict)
    """{address of a container: what it may connect to}; others connect to whatever is public."""
    ruled: tuple[str, ...] = ()
    """Interfaces of the networks in which these are."""
    greedy: tuple[str, ...] = ()
    """Projects with more sets of rules than a project may have."""


class FirewallManager:
    """Keeps the wall of one daemon."""

    def __init__(
        self, engine: Engine, settings: Settings, table: KernelTable,
        name_servers: Callable[[], tuple[Address, ...]] | None = None, names: OutboundNames | None = None,
    ) -> None:
        self._names = names or OutboundNames(settings.state / "firewall-names.json", settings.containers.may_reach)
        self._engine = engine
        self._settings = settings
        self._table = table
        self._name_servers = name_servers or read_name_servers
        self._around = Around()
        self._has_looked = False
        self._in_force: Mapping[str, Outbound] = {}
        """What the kernel has been told of addresses; empty when that is not sure."""
        self._turn = asyncio.Lock()
        """What was read must be put before somebody else reads: a list that is older would put back what was."""
        self._trouble = ""

    def troubles(self) -> tuple[str, ...]:
        greedy = ", ".join(self._around.greedy)
        more = f"{greedy}: more than {MOST_OF_PROJECT} different sets of outbound rules; further ones are closed"
        return tuple(text for text in (self._trouble, more if greedy else "") if text)

    async def ensure(self, *, look: bool = True) -> bool:
        """Have the wall up, or gone when the operator does without. Returns whether it had to be put.

        Args:
            look: Ask the engine what there is; else it is put as it was.

        Raises:
            FirewallNotKept: The kernel or this host does not take it.
        """
        if self._settings.containers.firewall == "none":
            await self._table.ensure_gone()
            return False
        async with self._turn:
            with suppress(DeployError):   # without Docker those that we know are kept, and all whose names are our own
                if look or not self._has_looked:
                    self._around, self._has_looked = await self._find_around(), True
            if not self._has_looked and await self._table.is_there():
                return False   # the daemon before us knew more: without its lists, services would be let out
            servers = await asyncio.to_thread(self._name_servers)
            rules = rules_of(self._settings, self._around, servers, self._names.addresses())
            self._in_force = {}
            put = await self._table.ensure(await asyncio.to_thread(render_rules, rules))
            self._in_force = rules.sources
            return put

    async def admit(self, specs: Iterable[ContainerSpec]) -> None:
        """Have the rules of containers in force that were created, and are not started yet.

        Raises:
            FirewallNotKept: They are not.
        """
        wanted = dict(source for spec in specs if (source := _source_of(spec)) is not None)
        if self._settings.containers.firewall == "none" or self._has_in_force(wanted):
            return
        await self._names.learn(name for what in wanted.values() if what is not None for name in what.names)
        await self.ensure()
        missing = [at for at, what in wanted.items() if what is not None and at not in self._in_force]
        if missing:   # who they are is asked of the engine, which does not answer: none of them may start
            raise FirewallNotKept(
                f"the rules of {', '.join(missing)} are not in force: Docker does not say which containers there are",
                hint="deploy once more when `/status` names no trouble with Docker",
            )

    def _has_in_force(self, wanted: Mapping[str, Outbound | None]) -> bool:
        """Of rules only what the kernel has taken counts: who tries again must not be let in by what failed."""
        return all(
            (self._around.sources if what is None else self._in_force).get(at) == what for at, what in wanted.items()
        )

    async def learn(self, names: Iterable[str]) -> tuple[str, ...]:
        """Ask where host names of rules lead. Gives those that lead nowhere."""
        return await self._names.learn(names)

    async def serve(self) -> None:
        """Look every round, and put back what is not there."""
        if self._settings.containers.firewall == "none":
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_names(), name="names of outbound rules")
            rounds = itertools.count(1)
            while True:
                await asyncio.sleep(ROUND_SECONDS)
                if await self._put_contained(look=next(rounds) % LOOK_EVERY == 0):
                    log.warning("firewall_put_back", table=table_name(self._settings.instance))

    async def _keep_names(self) -> None:
        while True:
            await asyncio.sleep(NAMES_SECONDS)
            if await self._names.refresh({name for what in self._around.sources.values() for name in what.names}):
                await self._put_contained(look=False)

    async def _put_contained(self, *, look: bool) -> bool:
        """Whether something of the table was missing that nobody had changed since."""
        before = self._around, self._names.addresses()
        try:
            put = await self.ensure(look=look)
        except DeployError as error:
            self._trouble = f"{error.what}; containers may reach this host and private networks"
            log.error("firewall_not_kept", what=error.what, evidence=error.evidence, hint=error.hint)
            return False
        except OSError as error:   # a full disk
            self._trouble = f"the firewall around containers is as it was: new rules cannot be written ({error})"
            log.error("firewall_not_written", what=str(error))
            return False
        self._trouble = ""
        return put and before == (self._around, self._names.addresses())

    async def _find_around(self) -> Around:
        labels = instance_labels(self._settings.instance)
        networks = await self._engine.networks(labels)
        sources = sources_of(await self._engine.containers(labels))
        prefix = bridge_prefix(self._settings.instance)
        return Around(
            tuple(sorted(item.bridge for item in networks if not item.bridge.startswith(prefix))), sources.addresses,
            tuple(sorted(item.bridge for item in networks if item.name in sources.networks)), sources.greedy,
        )


@dataclass(frozen=True, slots=True)
class Sources:
    """Containers that may not connect to whatever is public."""

    addresses: Mapping[str, Outbound]
    networks: frozenset[str]
    greedy: tuple[str, ...] = ()


def sources_of(containers: Iterable[ContainerSeen]) -> Sources:
    """Pure. Of two at one address (a service, and the one that is to replace it) the one that runs counts."""
    addresses: dict[str, Outbound] = {}
    networks: set[str] = set()
    greedy: set[str] = set()
    known = [(item, what) for item in sorted(
        containers, key=lambda item: (item.running, ASIDE not in item.name, item.name),
    ) if (what := _outbound_of(item.labels)) is not None]
    honoured = _honoured(known)
    for item, wanted in known:
        project, what = item.labels.get(PROJECT, ""), wanted
        if wanted != CLOSED and wanted not in honoured[project]:
            what = CLOSED
            greedy.add(project)
        for network, address in {**item.own_addresses, **item.addresses}.items():
            addresses[address] = what
            networks.add(network)
    return Sources(addresses, frozenset(networks), tuple(sorted(greedy)))


def _honoured(known: Iterable[tuple[ContainerSeen, Outbound]]) -> Mapping[str, Collection[Outbound]]:
    """{project: sets of rules that it gets}. Its environments take turns: one of them, which anybody who may push can
    make, takes none away from those that have few."""
    of: dict[tuple[str, str], dict[Outbound, None]] = defaultdict(dict)
    for item, what in known:
        if what != CLOSED:
            of[item.labels.get(PROJECT, ""), item.labels.get(ENVIRONMENT, "")][what] = None
    ranked = sorted(
        ((turn, place, what) for place, sets in of.items() for turn, what in enumerate(sets)), key=lambda it: it[:2],
    )
    found: dict[str, dict[Outbound, None]] = defaultdict(dict)
    for _, (project, _), what in ranked:
        if len(found[project]) < MOST_OF_PROJECT:
            found[project][what] = None
    return found


def _source_of(spec: ContainerSpec) -> tuple[str, Outbound | None] | None:
    """The address that a container is created with, and what it may connect to; None: it has none of its own."""
    if not isinstance(spec.network, Network) or spec.network.address is None:
        return None
    return spec.network.address, _outbound_of(spec.labels)


def _outbound_of(labels: Mapping[str, str]) -> Outbound | None:
    """None: whatever is public."""
    if OUTBOUND in labels:
        return None if labels[OUTBOUND] == PUBLIC else parse_outbound(labels[OUTBOUND])
    return CLOSED if labels.get(ROLE) == "service" else None


def rules_of(
    settings: Settings, around: Around, name_servers: tuple[Address, ...], names: Names = NO_NAMES,
) -> FirewallRules:
    router = settings.router
    https = (router.https_port,) if router.https_port else ()
    return FirewallRules(
        table=table_name(settings.instance),
        bridges=(f"{bridge_prefix(settings.instance)}*", *around.earlier),
        router=RouterPorts(router.address, (router.http_port, *https), https if router.http3 else ()),
        name_servers=name_servers,
        openings=settings.containers.may_reach,
        mail_port=settings.mail.port if settings.mail.enabled else None,
        sources=around.sources, names=names, without_ipv6=around.ruled,
    )


def read_name_servers() -> tuple[Address, ...]:
    """Name servers that containers ask by Docker's word: its own setting, else the host's."""
    texts = [_docker_servers(), *(_text(path) for path in RESOLVERS)]
    return parse_name_servers("\n".join(texts))


def _docker_servers() -> str:
    """`dns` of Docker's settings, as lines of a resolv.conf."""
    try:
        named = json.loads(_text(DOCKER_SETTINGS) or "{}").get("dns") or []
    except (ValueError, AttributeError):
        return ""   # Docker itself does not start with such a file
    return "\n".join(f"nameserver {item}" for item in named)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
