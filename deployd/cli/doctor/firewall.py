"""Whether the firewall around containers can be kept on this host."""

from __future__ import annotations

from deployd.cli.doctor.finding import Finding, doubt, well
from deployd.errors import DeployError
from deployd.firewall.kernel_table import check_rules
from deployd.firewall.outbound import CLOSED, Outbound
from deployd.firewall.rules import render_rules
from deployd.project.model import FirewallRule
from deployd.settings import Settings
from deployd.upkeep.firewall import Around, read_name_servers, rules_of

EVERY_KIND = Around(sources={
    "192.0.2.1": CLOSED, "192.0.2.2": Outbound((FirewallRule(ips=("198.51.100.0/24",), ports=(80, 443)),)),
}, ruled=("dp",))
"""Rules as containers have them, so that the kernel is asked about each form."""


async def look_at_firewall(settings: Settings, user: int) -> Finding:
    """Ask the kernel whether it takes the rules, without putting them."""
    if settings.containers.firewall == "none":
        return doubt("firewall", "there is none: containers reach this host and its private networks",
                     "take `containers.firewall: none` out of the settings")
    if user != 0:
        return doubt("firewall", "not tried: asking the kernel needs root", "run the doctor as root")
    try:
        await check_rules(render_rules(rules_of(settings, EVERY_KIND, read_name_servers())))
    except DeployError as error:
        return Finding.of("firewall", error)
    opened = len(settings.containers.may_reach)
    return well("firewall", f"the kernel takes its rules; {opened or 'no'} address{'es' * (opened != 1)} opened beside"
                " the Internet")
