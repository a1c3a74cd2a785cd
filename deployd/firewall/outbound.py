"""Where one container may connect to, as a value: out of project files, on a label, in words, and as rules. Pure.

    nothing said       every public address                            (an application without `firewall`)
    rules              what one of them allows, and nothing else       (an application with `firewall.outbound`)
    no rules           nothing                                         (a service)

The value stands on the container itself, as a label: it comes and goes with it, and a daemon that starts, a deployment
that is undone and an old version beside a new one need nothing else to know it. Rules only take away: what is private
is closed before they are asked (`rules.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import collapse_addresses, ip_network
from typing import Any

from deployd.project.model import FirewallRule
from deployd.public_addresses import NOT_PUBLIC, NOT_PUBLIC_IPV6, PUBLIC_IPV6, Address, Network, Opening

Names = Mapping[str, tuple[Address, ...]]
"""{host name: the addresses that it has, or had a short while ago, the newest first}"""
ANYWHERE = "any public address"
MOST_ADDRESSES, LEAST_OF_A_NAME = 1000, 4
"""Of all names of one container's rules together; each name has its share, and so many at least."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """Rules, of which one has to allow a connection; none: it connects to nothing outside its environment."""

    rules: tuple[FirewallRule, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for rule in self.rules for name in rule.domains)

    @property
    def chain(self) -> str:
        """What its chain in the kernel is called: the same rules, the same chain."""
        return f"out_{hashlib.sha256(encode_outbound(self).encode()).hexdigest()[:12]}"


CLOSED = Outbound()


def encode_outbound(outbound: Outbound) -> str:
    """As it stands on a label."""
    return json.dumps([[rule.ips, rule.domains, rule.ports] for rule in outbound.rules], separators=(",", ":"))


def parse_outbound(label: str) -> Outbound:
    """What a label says; one that cannot be read is closed."""
    try:
        found = json.loads(label)
        return Outbound(tuple(_rule(item) for item in found))
    except (ValueError, TypeError, KeyError):
        return CLOSED


def _rule(item: Any) -> FirewallRule:
    ips, domains, ports = item
    return FirewallRule(
        "tcp", tuple(str(ip_network(text)) for text in ips), tuple(map(str, domains)), tuple(map(int, ports)),
    )


def outbound_words(outbound: Outbound) -> str:
    """`api.example.com (port 443) and 192.0.2.0/24; nothing else outside the environment`"""
    if not outbound.rules:
        return "nothing outside the environment"
    return f"{'; '.join(map(_words, outbound.rules))}; nothing else outside the environment"


def _words(rule: FirewallRule) -> str:
    where = ", ".join(_shown(text) for text in (*rule.domains, *rule.ips)) or ANYWHERE
    if not rule.ports:
        return where
    return f"{where} (port{'s' * (len(rule.ports) > 1)} {', '.join(map(str, rule.ports))})"


def _shown(where: str) -> str:
    return ANYWHERE if where in ("0.0.0.0/0", "::/0") else where.removesuffix("/32")


def never_open(outbound: Outbound, openings: Iterable[Opening]) -> tuple[str, ...]:
    """Networks of its rules that are closed on this host whatever the rules say."""
    opened = [opening.network for opening in openings]
    return tuple(
        text for rule in outbound.rules for text in rule.ips
        if _is_private(network := ip_network(text)) and not any(_overlap(network, other) for other in opened)
    )


def _is_private(network: Network) -> bool:
    """Whether nothing of it is public."""
    if network.version == 4:
        return any(network.subnet_of(other) for other in NOT_PUBLIC)
    return not network.overlaps(PUBLIC_IPV6) or any(network.subnet_of(other) for other in NOT_PUBLIC_IPV6)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def chain_lines(outbound: Outbound, names: Names) -> list[str]:
    """What is in its chain."""
    share = max(LEAST_OF_A_NAME, MOST_ADDRESSES // (len(outbound.names) or 1))
    known = tuple((name, names[name][:share]) for name in sorted(outbound.names) if name in names)
    return list(_chain(outbound, known))


@lru_cache(1000)   # all chains are rendered whenever one changes
def _chain(outbound: Outbound, known: tuple[tuple[str, tuple[Address, ...]], ...]) -> tuple[str, ...]:
    names = dict(known)
    return (*(line for rule in outbound.rules for line in _lines(rule, names)), "jump refused")


def _lines(rule: FirewallRule, names: Names) -> list[str]:
    ports = sorted(set(rule.ports))
    to = f"tcp dport {{ {', '.join(map(str, ports))} }}" if ports else "meta l4proto tcp"
    networks: list[Network] = [ip_network(text) for text in rule.ips]
    if rule.domains:
        networks = [ip_network(address) for name in rule.domains for address in names.get(name, ())]
    elif not networks:
        return [f"{to} accept"]
    families = (("ip", "ipv4", 4), ("ip6", "ipv6", 6))
    return [
        f"{_where(family, protocol, [item for item in networks if item.version == version])} {to} accept"
        for family, protocol, version in families if any(network.version == version for network in networks)
    ]


def _where(family: str, protocol: str, networks: Sequence[Network]) -> str:
    """The kernel takes no set in which one network is in another one, nor one of everything."""
    if any(network.prefixlen == 0 for network in networks):
        return f"meta nfproto {protocol}"
    return f"{family} daddr {{ {', '.join(map(str, collapse_addresses(networks)))} }}"  # type: ignore[type-var]
