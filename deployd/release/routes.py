"""The routes of a version, with the addresses that its containers have now."""

from __future__ import annotations

from dataclasses import replace

from deployd.engine.names import PART, ROLE
from deployd.environment.domains import cookies_within
from deployd.environment.naming import shared_domain
from deployd.environment.routes import Resolved, ResolvedRoute, domains_of, routes_of
from deployd.project.model import ProjectConfig
from deployd.release.applications.web_server import WEB_PORT
from deployd.release.configuration import read_config
from deployd.release.digests import service_port
from deployd.release.external_upstreams import find_targets
from deployd.release.fingerprint import live_containers, out_of_balance, routes_origin
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.services.fronts import backends_of, fronts_of, is_turned
from deployd.router.table import Access, AddressRule, Asleep, Route, RouteSet, Target
from deployd.settings import HttpAccess, Settings


async def route_set(release: Release, host: Host) -> RouteSet:
    """The routes of the deployment's version, with the addresses that its web containers have now."""
    config = await read_config(release, host)
    version, network = release.version, release.names.network
    resolved = routes_of(host.settings, release.project, release.environment, release.branch, config)
    ports = {service.name: service_port(host.settings, service) for service in config.services}
    containers = live_containers(version, await host.engine.containers(release.names.labels()))
    targets: dict[str, tuple[Target, ...]] = {}
    out = out_of_balance(version, containers)
    for container in sorted(containers, key=lambda item: item.labels.get(PART, "")):
        address, role, part = container.addresses.get(network), container.labels[ROLE], container.labels.get(PART, "")
        if address and role in ("service", "web") and part not in out:
            app = version.app_of(part) if role == "web" else None
            target = Target(address, WEB_PORT if role == "web" else ports.get(part, 0), container.name)
            name = app.name if app is not None else part
            targets[name] = (*targets.get(name, ()), target)
    targets |= await _past_fronts(release, host, config)
    router_ports = tuple(filter(None, (host.settings.router.http_port, host.settings.router.https_port)))
    lead_outside = any(route.type == "proxy" for route in resolved.routes)
    return RouteSet(
        environment=release.key,
        version=str(version.activity),
        routes=tuple(await in_parallel(_route(route, targets, router_ports) for route in resolved.routes)),
        robots=release.type == "production",
        within=_within(resolved, release, host.settings),
        access=_access(release.project.access_to(release.branch)),
        origin="" if lead_outside else routes_origin(host.settings, release.project, version, containers, network),
    )


async def _past_fronts(release: Release, host: Host, config: ProjectConfig) -> dict[str, tuple[Target, ...]]:
    """Straight to what stands behind a service that leads to another version yet: by its first relationship."""
    found: dict[str, tuple[Target, ...]] = {}
    for service, _ in fronts_of(config):
        if not await is_turned(release, host, service):
            behind = next((group for group in (await backends_of(release, host, service)).values() if group), ())
            found[service.name] = tuple(Target(item.address, WEB_PORT, item.container) for item in behind)
    return found


async def asleep_routes(release: Release, host: Host, *, quiet_seconds: float = 0.0) -> RouteSet:
    """The same routes while nothing runs behind them: the router answers what needs no container, and is woken for all
    else.

    Args:
        quiet_seconds: For so long nobody wakes it.
    """
    routes = await route_set(release, host)
    origin = routes_origin(host.settings, release.project, release.version, (), release.names.network)
    return replace(
        routes, asleep=Asleep(host.settings.wake_seconds, quiet_seconds), origin=routes.origin and origin,
        routes=tuple(replace(route, targets=()) if route.type == "upstream" else route for route in routes.routes),
    )


def _within(resolved: Resolved, release: Release, settings: Settings) -> dict[str, str]:
    domains = domains_of(settings, release.project, release.environment, release.branch)
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


async def _route(
    route: ResolvedRoute, targets: dict[str, tuple[Target, ...]], router_ports: tuple[int, ...],
) -> Route:
    template = route.template
    found: tuple[Target, ...] = ()
    if route.type == "upstream":
        found = targets.get(template.upstream or "", ())
    elif route.type == "proxy" and route.to:
        found = await find_targets(route.to, str(template.place), router_ports)
    return Route(
        scheme=route.scheme, host=route.host, path=route.path, type=route.type,
        targets=found,
        to=route.to, original_url=route.original_url,
        redirects=route.redirects,
        cache=template.cache, ssi=template.ssi, sticky=template.sticky, tls=template.tls,
    )
