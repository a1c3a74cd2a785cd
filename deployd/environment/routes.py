"""Routes of an environment: the file's patterns with placeholders resolved (configuration format 6.2 and 6.3). Pure.

Surprise: with a router that has no TLS (`router.https_port: null`), `https://` routes are served over `http://`, and
the redirects that would lead to them are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast
from urllib.parse import urlsplit

from deployd.environment.domains import Domains
from deployd.environment.naming import development_host
from deployd.ids import EnvironmentId
from deployd.project.model import PathRedirect, ProjectConfig, RouteTemplate
from deployd.settings import ProjectSettings, Settings


@dataclass(frozen=True, slots=True)
class ResolvedRoute:
    """One URL of an environment."""

    scheme: Literal["http", "https"]
    host: str
    path: str
    url: str
    """With the port when it is not the scheme's own; always ends in a slash or a path."""
    template: RouteTemplate
    original_url: str
    type: Literal["upstream", "redirect", "proxy"]
    to: str | None = None
    primary: bool = False
    redirects: tuple[PathRedirect, ...] = ()
    """Of single paths; the redirect to https that is made for a route has none."""


@dataclass(frozen=True, slots=True)
class Resolved:
    routes: tuple[ResolvedRoute, ...]
    warnings: tuple[str, ...] = ()
    clashes: tuple[tuple[RouteTemplate, RouteTemplate], ...] = ()
    """Two of the file that are one URL here, and neither of them is of `{all}`."""

    @property
    def primary(self) -> ResolvedRoute | None:
        return next((route for route in self.routes if route.primary), None)


def resolve_routes(templates: Sequence[RouteTemplate], domains: Domains) -> Resolved:
    """Every URL of the environment, the file's order kept; what is made for the other scheme stands at the end."""
    warnings: list[str] = []
    clashes: list[tuple[RouteTemplate, RouteTemplate]] = []
    found: dict[tuple[str, str, str], ResolvedRoute] = {}
    for template in sorted(templates, key=lambda item: "{all}" in item.url):   # {default} beats {all}
        for host, domain in _hosts(template.url, domains, warnings):
            route = _resolve(template, host, domain, domains)
            there = found.setdefault((route.scheme, route.host, route.path), route)
            if there is not route and "{all}" not in template.url:
                clashes.append((there.template, template))
    order = {id(template): number for number, template in enumerate(templates)}   # comparing them would be quadratic
    routes = sorted(found.values(), key=lambda route: order[id(route.template)])
    if domains.https_port is None:
        routes = _served_without_tls(routes, domains, warnings)
    else:
        made = [*_redirects_to_https(routes, found, domains), *_also_over_https(routes, domains)]
        routes += made
    return Resolved(_with_primary(routes), tuple(warnings), tuple(clashes))


def _hosts(url: str, domains: Domains, warnings: list[str]) -> Iterator[tuple[str, str]]:
    """(host, the domain that `{all}` stands for there)"""
    host = (urlsplit(url).netloc or url.split("://", 1)[-1].split("/", 1)[0]).lower()
    if "{all}" in host:
        for domain in domains.own or (domains.development,):
            yield host.replace("{all}", domain), domain
    elif "{default}" in host:
        yield host.replace("{default}", domains.default), domains.default
    elif not domains.own:
        yield f"{host}.{domains.development}", domains.default
    elif _belongs(host, domains.own):
        yield host, domains.default
    else:
        warnings.append(f"{url}: {host} is not one of the project's domains, so {host}.{domains.development} is used")
        yield f"{host}.{domains.development}", domains.default


def _belongs(host: str, own: tuple[str, ...]) -> bool:
    bare = host.removeprefix("*.")
    return any(bare == domain or bare.endswith(f".{domain}") for domain in own)


def _resolve(template: RouteTemplate, host: str, domain: str, domains: Domains) -> ResolvedRoute:
    scheme = cast(Literal["http", "https"], template.url.split("://", 1)[0])
    path = urlsplit(template.url).path or "/"
    to = _target(template.to, domain, domains) if template.to else None
    redirects = tuple(   # the router itself puts the port to those: a pattern cannot be taken apart
        replace(rule, to=_with_domains(rule.to, domain, domains)) if "{" in rule.to else rule
        for rule in template.redirects
    )
    return ResolvedRoute(
        scheme, host, path, _url(scheme, host, path, domains), template, template.url, template.type, to,
        redirects=redirects,
    )


def _url(scheme: str, host: str, path: str, domains: Domains) -> str:
    port, usual = (domains.http_port, 80) if scheme == "http" else (domains.https_port, 443)
    return f"{scheme}://{host}{'' if port in (usual, None) else f':{port}'}{path}"


def _with_domains(to: str, domain: str, domains: Domains) -> str:
    """`{all}` of a route for each domain leads to that domain: `https://www.{all}/` to `https://{all}/`."""
    return to.replace("{default}", domains.default).replace("{all}", domain)


def _target(to: str, domain: str, domains: Domains) -> str:
    """Target of a redirect; one that leads back to this environment gets the router's port."""
    text = _with_domains(to, domain, domains)
    parts = urlsplit(text)
    if text == to or parts.port is not None:
        return text
    scheme = "http" if parts.scheme == "https" and domains.https_port is None else parts.scheme
    rest = (parts.path or "/") + "".join(f"{sign}{part}" for sign, part in zip("?#", parts[3:], strict=True) if part)
    return _url(scheme, parts.netloc, rest, domains)


def _redirects_to_https(
    routes: Sequence[ResolvedRoute], found: dict[tuple[str, str, str], ResolvedRoute], domains: Domains,
) -> Iterator[ResolvedRoute]:
    for route in routes:
        if route.scheme == "https" and ("http", route.host, route.path) not in found:
            yield ResolvedRoute(
                "http", route.host, route.path, _url("http", route.host, route.path, domains), route.template,
                "http" + route.original_url.removeprefix("https"), "redirect", route.url,
            )


def _also_over_https(routes: Sequence[ResolvedRoute], domains: Domains) -> Iterator[ResolvedRoute]:
    """The same over https, for hosts of which the file says nothing over https.

    The hosted platforms told at the end of a push with `http://{default}/` and a redirect from `http://www.{default}/`:

        http://main.example/ is served by application `shop`
        http://www.main.example/ redirects to http://main.example/
        https://main.example/ is served by application `shop`
        https://www.main.example/ redirects to http://main.example/
    """
    secure = {route.host for route in routes if route.scheme == "https"}
    for route in routes:
        if route.host in secure or _leads_to_https(route):
            continue
        yield replace(
            route, scheme="https", url=_url("https", route.host, route.path, domains),
            original_url="https" + route.original_url.removeprefix("http"),
        )


def _leads_to_https(route: ResolvedRoute) -> bool:
    """A redirect to its own host, which would go round in circles there."""
    target = urlsplit(route.to or "")
    return route.type == "redirect" and target.scheme == "https" and target.netloc.partition(":")[0] == route.host


def _served_without_tls(
    routes: Sequence[ResolvedRoute], domains: Domains, warnings: list[str],
) -> list[ResolvedRoute]:
    secure = {(route.host, route.path): route for route in routes if route.scheme == "https"}
    guarded = {key for key, route in secure.items() if route.template.tls.client_authentication == "require"}
    warnings += [
        f"{secure[key].original_url} is left out: it asks for client certificates, and the router has no https port"
        for key in guarded
    ]
    plain = [
        replace(route, scheme="http", url=_url("http", route.host, route.path, domains))
        for key, route in secure.items() if key not in guarded
    ]
    if plain:
        warnings.append("the router has no https port, so https routes are served over http")
    return plain + [route for route in routes if route.scheme == "http" and (route.host, route.path) not in secure]


def _with_primary(routes: Sequence[ResolvedRoute]) -> tuple[ResolvedRoute, ...]:
    """Exactly one upstream route is primary: the one that says so, else the first (configuration format 6.1)."""
    upstream = [route for route in routes if route.type == "upstream"]
    chosen = next((route for route in upstream if route.template.primary), upstream[0] if upstream else None)
    return tuple(replace(route, primary=route is chosen) for route in routes)


def domains_of(settings: Settings, project: ProjectSettings, environment: EnvironmentId, branch: str) -> Domains:
    return Domains(
        development_host(settings.domain, project.id, environment.name),
        project.domains if branch == project.production else (),
        settings.router.http_port,
        settings.router.https_port,
    )


def routes_of(
    settings: Settings, project: ProjectSettings, environment: EnvironmentId, branch: str, config: ProjectConfig,
) -> Resolved:
    return resolve_routes(config.routes, domains_of(settings, project, environment, branch))
