"""`firewall.outbound`: where a container may connect to (configuration format 4.5). Pure."""

from __future__ import annotations

import ipaddress

from deployd.project.fields.fields import Field
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.container import FirewallRule

FIREWALL = Table(
    "firewall", (Key("outbound", "list of rules", "checked, but not enforced yet", "`[]`", "noted"),), noun="`firewall`"
)
RULE = Table(
    "firewall.outbound[]",
    (
        Key("protocol", "`tcp`", default="`tcp`", treatment="noted"),
        Key("ips", "list of addresses or networks", default='`["0.0.0.0/0"]`', treatment="noted"),
        Key("domains", "list of host names", "not together with `ips`", "`[]`", "noted"),
        Key("ports", "list of integers", "1 to 65535", "all", "noted"),
    ),
    noun="a rule of the firewall",
)


def read_firewall(field: Field | None) -> tuple[FirewallRule, ...] | None:
    """The rules; None when everything is allowed."""
    fields = field.fields(FIREWALL) if field else None
    if fields is None:
        return None
    outbound = fields.get("outbound")
    rules = [_rule(item) for item in outbound.items()] if outbound else []
    return tuple(rule for rule in rules if rule is not None)


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
    networks = [_network(item) for item in ips.items()] if ips else []
    numbers = [item.integer(1, 65_535) for item in ports.items()] if ports else []
    return FirewallRule(
        "tcp",
        tuple(item for item in networks if item is not None),
        domains.texts() if domains else (),
        tuple(item for item in numbers if item is not None),
    )


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
