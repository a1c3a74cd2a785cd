"""`firewall.outbound`: where a container may connect to (configuration format 4.5). Pure."""

from __future__ import annotations

import ipaddress
import re

import idna

from deployd.project.fields.fields import Field
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.container import FirewallRule
from deployd.project.yaml.nodes import ListNode

MOST_RULES, MOST_ITEMS, MOST_IN_ALL = 50, 200, 200
"""Rules of an instance; addresses, names or ports of a rule; addresses and names of all its rules. The kernel is told
all rules of all projects whenever one changes."""
SMTP = 25

FIREWALL = Table(
    "firewall",
    (Key("outbound", "list of rules", "what one of them allows; without a rule nothing", "whatever is public"),),
    noun="`firewall`",
)
RULE = Table(
    "firewall.outbound[]",
    (
        Key("protocol", "`tcp`", "nothing else can be allowed", "`tcp`"),
        Key("ips", "list of addresses or networks", "private ones only as the operator opened them",
            '`["0.0.0.0/0"]`'),
        Key("domains", "list of host names", "not together with `ips`; whole names, without `*`", "`[]`"),
        Key("ports", "list of integers", f"1 to 65535; {SMTP} stays closed", "all"),
    ),
    noun="a rule of the firewall",
)
FIREWALL_KEY = Key("firewall", "mapping: `outbound`", "where it may connect to", "whatever is public")
FIREWALL_OF_SERVICES_KEY = Key(
    "firewall", "mapping: `outbound`", "where it may connect to outside the environment", "nowhere",
)
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+{_LABEL}", re.ASCII | re.IGNORECASE)


def read_firewall(field: Field | None) -> tuple[FirewallRule, ...] | None:
    """The rules; None when nothing is said: everything public is allowed."""
    fields = field.fields(FIREWALL) if field else None
    outbound = fields.get("outbound") if fields is not None else None
    if outbound is None:
        return None
    items = _bounded(outbound, MOST_RULES, "rules")
    rules = tuple(rule for item in items if (rule := _rule(item)) is not None)
    count = sum(len(rule.ips) + len(rule.domains) for rule in rules)
    if count > MOST_IN_ALL:
        outbound.wrong("too-large", f"the rules name {count:,} addresses and hosts, at most {MOST_IN_ALL} are allowed",
                       "write networks in place of their addresses")
        return None
    return rules


def _rule(field: Field) -> FirewallRule | None:
    fields = field.fields(RULE)
    if fields is None:
        return None
    protocol = fields.get("protocol")
    if protocol is not None:
        protocol.one_of(("tcp",))
    if not any(fields.get(name) for name in ("ips", "domains", "ports")):
        field.wrong(
            "empty-rule", "a rule of the firewall needs `ips`, `domains` or `ports`", "say what the rule allows"
        )
        return None
    domains = fields.get("domains")
    if domains is not None and fields.get("ips") is not None:
        domains.wrong_name("not-together", "`ips` and `domains` cannot stand in one rule", "make two rules of it")
        return None
    ips = fields.get("ips")
    ports = fields.get("ports")
    for given in (ips, domains):
        if given is not None and isinstance(given.node, ListNode) and not given.node.items:
            given.wrong("empty-rule", "an empty list allows nothing", "take the rule out, or name what it allows")
            return None
    networks = [_network(item) for item in _bounded(ips, MOST_ITEMS, "addresses")] if ips else []
    names = [_domain(item) for item in _bounded(domains, MOST_ITEMS, "host names")] if domains else []
    numbers = [_port(item) for item in _bounded(ports, MOST_ITEMS, "ports")] if ports else []
    return FirewallRule(
        "tcp",
        tuple(item for item in networks if item is not None),
        tuple(item for item in names if item is not None),
        tuple(item for item in numbers if item is not None),
    )


def _bounded(field: Field, most: int, what: str) -> list[Field]:
    items = field.items()
    if len(items) <= most:
        return items
    field.wrong("too-large", f"there are {len(items):,} {what}, at most {most} are allowed", "write networks, or fewer")
    return []


def _port(field: Field) -> int | None:
    number = field.integer(1, 65_535)
    if number == SMTP:
        field.warn("not-honoured", f"port {SMTP} stays closed whatever the rules say",
                   "hand mails to the server that SMTP_HOST names, or to a relay on port 587")
    return number


def _domain(field: Field) -> str | None:
    """In lower case, as name servers are asked."""
    text = field.text()
    if text is None:
        return None
    name = text.strip().removesuffix(".")
    try:
        name = name if name.isascii() else idna.encode(name).decode()
    except idna.IDNAError:
        name = ""
    if _HOST.fullmatch(name) and not _is_address(name):
        return name.lower()
    hint = "write each host name whole: addresses are looked up, and nobody can look up `*`" if "*" in text else (
        "write a name as `api.example.com`, without `https://` and path; addresses go into `ips`"
    )
    field.wrong("bad-name", f"`{shown(text)}` is not a host name", hint)
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _network(field: Field) -> str | None:
    text = field.text()
    if text is None:
        return None
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        field.wrong(
            "not-an-address", f"`{shown(text)}` is not an address or a network", "write one like `192.0.2.0/24`"
        )
        return None
