"""The wall around containers stays up: what somebody flushes is put back within a round.

At the start it is put before any container is started, and a daemon that cannot put it does not start: closed. When it
is lost later and cannot be put back, what is live goes on and `/status` says so at every look: loud.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from deployd.engine.engine import Networks
from deployd.engine.names import bridge_prefix, instance_labels
from deployd.errors import DeployError
from deployd.firewall.kernel_table import KernelTable
from deployd.firewall.rules import FirewallRules, RouterPorts, parse_name_servers, render_rules, table_name
from deployd.public_addresses import Address
from deployd.settings import Settings

log = structlog.get_logger()

ROUND_SECONDS = 10.0
RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""Docker takes name servers of containers from the second when the first only names systemd's own."""
DOCKER_SETTINGS = Path("/etc/docker/daemon.json")


class FirewallManager:
    """Keeps the wall of one daemon."""

    def __init__(
        self, engine: Networks, settings: Settings, table: KernelTable,
        name_servers: Callable[[], tuple[Address, ...]] | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._table = table
        self._name_servers = name_servers or read_name_servers
        self._earlier: tuple[str, ...] = ()
        """Interfaces of networks that were made before ours had names of their own."""
        self._trouble = ""

    def troubles(self) -> tuple[str, ...]:
        return (self._trouble,) if self._trouble else ()

    async def ensure(self) -> bool:
        """Have the wall up, or gone when the operator does without. Returns whether it had to be put.

        Raises:
            FirewallNotKept: The kernel or this host does not take it.
        """
        if self._settings.containers.firewall == "none":
            await self._table.ensure_gone()
            return False
        with suppress(DeployError):   # without Docker those that we know are kept, and all whose names are our own
            self._earlier = await self._find_earlier()
        servers = await asyncio.to_thread(self._name_servers)
        return await self._table.ensure(render_rules(rules_of(self._settings, self._earlier, servers)))

    async def serve(self) -> None:
        """Look every round, and put back what is not there."""
        if self._settings.containers.firewall == "none":
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                if await self.ensure():
                    log.warning("firewall_put_back", table=table_name(self._settings.instance))
            except DeployError as error:
                self._trouble = f"{error.what}; containers may reach this host and private networks"
                log.error("firewall_not_kept", what=error.what, evidence=error.evidence, hint=error.hint)
            except OSError as error:   # a full disk
                self._trouble = f"the firewall around containers is as it was: new rules cannot be written ({error})"
                log.error("firewall_not_written", what=str(error))
            else:
                self._trouble = ""

    async def _find_earlier(self) -> tuple[str, ...]:
        networks = await self._engine.networks(instance_labels(self._settings.instance))
        prefix = bridge_prefix(self._settings.instance)
        return tuple(sorted(item.bridge for item in networks if not item.bridge.startswith(prefix)))


def rules_of(settings: Settings, earlier: tuple[str, ...], name_servers: tuple[Address, ...]) -> FirewallRules:
    """
    Args:
        earlier: Interfaces of networks of ours that do not begin as ours do now.
    """
    router = settings.router
    https = (router.https_port,) if router.https_port else ()
    return FirewallRules(
        table=table_name(settings.instance),
        bridges=(f"{bridge_prefix(settings.instance)}*", *earlier),
        router=RouterPorts(router.address, (router.http_port, *https), https if router.http3 else ()),
        name_servers=name_servers,
        openings=settings.containers.may_reach,
        mail_port=settings.mail.port if settings.mail.enabled else None,
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
