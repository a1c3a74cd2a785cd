"""The rules around containers, as a file for `nft -f`. Pure.

    from a container ──► the host itself  ──► opened? · the router's ports? · mail?    else refused
                     └─► through the host ──► opened? · our own networks? · public?    else refused

Mail is port 25 of the gateway of one's own network. It is led to a port of ours, because a mail server of the host may
have port 25 on all addresses; that one stays closed.

`opened` is what answers somebody else's question (the router's, for one), and the host's own name servers on port 53.
Between our own networks Docker decides, as before: it keeps environments apart, and builds.

    through the host ──► a service? refused ──► private and not in `may_reach`? refused ──► port 25? refused
                     ──► a chain for each container that has rules (`outbound.py`), found by the address it comes from

A container cannot choose that address: it has no capability for it, and deployd has given it. A container that has no
rules is in no list, so that nothing has to be told for it; one that has rules is listed before it is started.

A table of our own with chains of our own on the kernel's hooks, and not a chain in Docker's tables: Docker puts its
rules before others whenever it makes a network, `DOCKER-USER` does not see what goes to the host itself, and a refusal
in any table is final. What we accept, later tables may still refuse.

Surprise: refused and not dropped. A build that wants something closed is told at once, and does not hang.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

from deployd.firewall.outbound import CLOSED, Names, Outbound, chain_lines
from deployd.public_addresses import NOT_PUBLIC, NOT_PUBLIC_IPV6, PUBLIC_IPV6, Address, Opening

PRIORITY = "filter - 10"
"""Before other tables on the same hook, whose rules then see less; the outcome does not depend on it."""
NAT_PRIORITY = "dstnat - 10"
"""Before Docker's rules for published ports."""
SMTP = 25
OWN_GATEWAY = "fib daddr . iif type local"
"""To the host's address in the network that it came from: one rule for all networks, and for those to come."""


@dataclass(frozen=True, slots=True)
class RouterPorts:
    """Where visitors are served: containers reach it like any visitor, an application calls its own address."""

    address: str
    tcp: tuple[int, ...]
    udp: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FirewallRules:
    """All that the rules are made of."""

    table: str
    bridges: tuple[str, ...]
    """Names of the interfaces behind which our containers are; one that ends with `*` is the beginning of many."""
    router: RouterPorts
    name_servers: tuple[Address, ...] = ()
    openings: tuple[Opening, ...] = ()
    mail_port: int | None = None
    """Where the host takes mails of containers, who ask for port 25 of their network's gateway; None: nowhere."""
    sources: Mapping[str, Outbound] = field(default_factory=dict)
    """{IPv4 address of a container: what it may connect to}; others connect to whatever is public."""
    names: Names = field(default_factory=dict)
    """Of the host names in `sources`."""
    without_ipv6: tuple[str, ...] = ()
    """Interfaces of the networks in which these containers are: their addresses of IPv6 are not known, and lead to
    nowhere."""


def table_name(instance: str) -> str:
    """One table for each daemon: several on a host do not disturb one another."""
    return f"deployd-{instance}"


def render_rules(rules: FirewallRules) -> str:
    """The whole table in one transaction: whatever there was of it is replaced, and at no moment there is none."""
    return "\n".join((
        f"table inet {rules.table}",            # so that there is one to delete
        f"delete table inet {rules.table}",
        f"table inet {rules.table} {{",
        *_chain("input", [f"type filter hook input priority {PRIORITY}; policy accept;",
                          *(f'iifname "{name}" jump to_host' for name in rules.bridges)]),
        *_chain("forward", [f"type filter hook forward priority {PRIORITY}; policy accept;",
                            *(f'iifname "{name}" oifname "{name}" accept' for name in rules.bridges),
                            *(f'iifname "{name}" jump elsewhere' for name in rules.bridges)]),
        *(_chain("mail", [f"type nat hook prerouting priority {NAT_PRIORITY}; policy accept;",
                          *(f'iifname "{name}" {OWN_GATEWAY} tcp dport {SMTP} redirect to :{rules.mail_port}'
                            for name in rules.bridges)]) if rules.mail_port else ()),
        *_chain("opened", [
            "ct state established,related accept",
            *(f"{_to(address)} meta l4proto {{ tcp, udp }} th dport 53 accept" for address in rules.name_servers),
        ]),
        *_chains_of_sources(rules),
        *_chain("to_host", [
            "jump opened",
            # How machines of one link find each other, the ARP of IPv6.
            "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept",
            "jump closed",
            *_to_router(rules.router),
            *([f"{OWN_GATEWAY} tcp dport {rules.mail_port} accept"] if rules.mail_port else []),
            *(f"{_to_opening(opening)} goto by_rules" for opening in rules.openings),
            "jump refused",
        ]),
        *_chain("elsewhere", ["jump opened", "jump closed", "jump outside", "jump by_rules"]),
        *_chain("outside", [
            *(f"{_to_opening(opening)} return" for opening in rules.openings),
            f"ip daddr {{ {', '.join(map(str, NOT_PUBLIC))} }} jump refused",
            f"ip6 daddr != {PUBLIC_IPV6} jump refused",
            f"ip6 daddr {{ {', '.join(map(str, NOT_PUBLIC_IPV6))} }} jump refused",
            f"tcp dport {SMTP} jump refused",   # what reaches people goes through the mail server
        ]),
        *_chain("refused", [
            "meta l4proto tcp reject with tcp reset",
            "reject with icmpx admin-prohibited",
        ]),
        "}", "",
    ))


def parse_name_servers(text: str) -> tuple[Address, ...]:
    """Name servers of a resolv.conf that containers ask themselves: one on the loopback is asked by Docker for them."""
    found: list[Address] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                address = ip_address(words[1].partition("%")[0])   # fe80::1%eth0
            except ValueError:
                continue
            if not address.is_loopback and address not in found:
                found.append(address)
    return tuple(found)


def _chain(name: str, rules: Sequence[str]) -> list[str]:
    return [f"\tchain {name} {{", *(f"\t\t{rule}" for rule in rules), "\t}"]


def _chains_of_sources(rules: FirewallRules) -> list[str]:
    """`closed`: who connects to nothing outside is refused. `by_rules`: the others, each by its own rules."""
    nothing = sorted(address for address, outbound in rules.sources.items() if outbound == CLOSED)
    ruled = {address: outbound for address, outbound in sorted(rules.sources.items()) if outbound != CLOSED}
    chains = {outbound.chain: outbound for outbound in ruled.values()}
    leads = ", ".join(f"{address} : goto {outbound.chain}" for address, outbound in ruled.items())
    return [
        *(line for name, outbound in sorted(chains.items())
          for line in _chain(name, chain_lines(outbound, rules.names))),
        *_chain("closed", [
            *(f'iifname "{name}" meta nfproto ipv6 jump refused' for name in sorted(rules.without_ipv6)),
            *([f"ip saddr {{ {', '.join(nothing)} }} jump refused"] if nothing else []),
        ]),
        *_chain("by_rules", [*([f"ip saddr vmap {{ {leads} }}"] if leads else []), "accept"]),
    ]


def _to(address: Address) -> str:
    return f"{'ip' if address.version == 4 else 'ip6'} daddr {address}"


def _to_opening(opening: Opening) -> str:
    """As the container named it: a port that Docker publishes leads to a container behind it by now."""
    where = f"ct original {'ip' if opening.network.version == 4 else 'ip6'} daddr {opening.network}"
    if opening.port is None:
        return where
    return f"meta l4proto {{ tcp, udp }} {where} ct original proto-dst {opening.port}"


def _to_router(router: RouterPorts) -> list[str]:
    to = ""
    with suppress(ValueError):   # nginx takes a name too
        address = ip_address(router.address.strip("[]"))
        if address.is_loopback:
            return []   # containers cannot reach it there, and another program may have the port elsewhere
        to = "" if address.is_unspecified else f"{_to(address)} "
    return [
        f"{to}{protocol} dport {{ {', '.join(map(str, ports))} }} accept"
        for protocol, ports in (("tcp", router.tcp), ("udp", router.udp)) if ports
    ]
