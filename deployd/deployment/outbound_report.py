"""What a push says of outbound rules: what is open, and what stays closed although a rule names it."""

from __future__ import annotations

from collections.abc import Iterator

from deployd.activity.log import Tell
from deployd.firewall.outbound import Outbound, never_open, outbound_words
from deployd.project.model import FirewallRule, ProjectConfig
from deployd.release.ports import Host
from deployd.release.version import worker_part


async def tell_outbound(config: ProjectConfig, host: Host, tell: Tell) -> None:
    """A line for each instance and service that has rules; names are looked up, so that they count from the start."""
    ruled = [(name, Outbound(rules)) for name, rules in _ruled(config)]
    if ruled and host.settings.containers.firewall == "none":
        tell.warn("`firewall` has no effect: this host is run without one (`containers.firewall: none`)")
        return
    lost = await host.walls.learn(name for _, outbound in ruled for name in outbound.names)
    for name, outbound in ruled:
        tell.line(f"{name} may connect to {outbound_words(outbound)}")
        for network in never_open(outbound, host.settings.containers.may_reach):
            tell.warn(f"{name} does not reach {network}: private networks are closed on this host; ask its operator"
                      " to open it (`containers.may_reach`)")
    for lacking in lost:
        tell.warn(f"{lacking} leads to no public address now; it is looked up again and again, and closed until then")


def _ruled(config: ProjectConfig) -> Iterator[tuple[str, tuple[FirewallRule, ...]]]:
    for app in config.applications:
        whole = app.web.instance.firewall
        if whole is not None:
            yield app.name, whole
        for worker in app.workers:
            if worker.instance.firewall not in (None, whole):
                yield worker_part(app.name, worker.name), worker.instance.firewall or ()
    for service in config.services:
        if service.firewall is not None:
            yield service.name, service.firewall
