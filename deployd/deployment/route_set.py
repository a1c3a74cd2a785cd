"""The routes of a version, with the addresses that its containers have now."""

from __future__ import annotations

from deployd.deployment.host import Host
from deployd.deployment.origin import live_containers, routes_origin
from deployd.deployment.outside import find_targets
from deployd.deployment.together import together
from deployd.deployment.validate import read_config
from deployd.deployment.view import Deployment
from deployd.deployment.wanted import domains_of, routes_of, service_port
from deployd.engine.names import ENVIRONMENT, INSTANCE, PART, PROJECT, ROLE
from deployd.environment.hosts import Resolved, ResolvedRoute, cookies_within
from deployd.environment.naming import shared_domain
from deployd.router.table import Access, AddressRule, Route, RouteSet, Target
from deployd.runtimes.web_server import WEB_PORT
from deployd.settings import HttpAccess, Settings


async def route_set(deployment: Deployment, host: Host) -> RouteSet:
    """The routes of the deployment's version, with the addresses that its web containers have now."""
    config = await read_config(deployment, host)
    version, network = deployment.version, deployment.names.network
    resolved = routes_of(host.settings, deployment.project, deployment.environment, deployment.branch, config)
    ports = {service.name: service_port(host.settings, service) for service in config.services}
    containers = live_containers(version, await host.engine.containers({
        INSTANCE: deployment.instance, PROJECT: deployment.project.id, ENVIRONMENT: deployment.environment,
    }))
    targets: dict[str, Target] = {}
    for container in containers:
        address, role = container.addresses.get(network), container.labels[ROLE]
        if address and role in ("service", "web"):
            part = container.labels[PART]
            targets[part] = Target(address, WEB_PORT if role == "web" else ports.get(part, 0), container.name)
    router_ports = tuple(filter(None, (host.settings.router.http_port, host.settings.router.https_port)))
    lead_outside = any(route.type == "proxy" for route in resolved.routes)
    return RouteSet(
        environment=deployment.key,
        version=str(version.activity),
        routes=tuple(await together(_route(route, targets, router_ports) for route in resolved.routes)),
        robots=deployment.type == "production",
        within=_within(resolved, deployment, host.settings),
        access=_access(deployment.project.access_to(deployment.branch)),
        origin="" if lead_outside else routes_origin(host.settings, deployment.project, version, containers, network),
    )


def _within(resolved: Resolved, deployment: Deployment, settings: Settings) -> dict[str, str]:
    domains = domains_of(settings, deployment.project, deployment.environment, deployment.branch)
    shared = shared_domain(settings.domain)
    found = {route.host: cookies_within(route.host, domains, shared) for route in resolved.routes}
    return {host: domain for host, domain in found.items() if domain is not None}


def _access(said: HttpAccess) -> Access | None:
    if not said.basic_auth and not said.addresses:
        return None
    rules = tuple(
        AddressRule(rule.permission == "allow", network) for rule in said.addresses for network in rule.networks
    )
    return Access(said.basic_auth, rules)


async def _route(route: ResolvedRoute, targets: dict[str, Target], router_ports: tuple[int, ...]) -> Route:
    template = route.template
    found: tuple[Target, ...] = ()
    if route.type == "upstream" and (target := targets.get(template.upstream or "")):
        found = (target,)
    elif route.type == "proxy" and route.to:
        found = await find_targets(route.to, str(template.place), router_ports)
    return Route(
        scheme=route.scheme, host=route.host, path=route.path, type=route.type,
        targets=found,
        to=route.to, original_url=route.original_url,
        redirects=route.redirects,
        cache=template.cache, ssi=template.ssi, sticky=template.sticky, tls=template.tls,
    )
