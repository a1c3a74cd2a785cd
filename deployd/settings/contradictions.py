"""Settings that are right one by one and cannot be used together, and secrets that can be guessed. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deployd.forges.known import FORGES
from deployd.forges.repository import repository_of
from deployd.settings.valid import weakness_of

if TYPE_CHECKING:   # it asks here
    from deployd.settings.project import ProjectSettings
    from deployd.settings.settings import Settings

At = tuple[str | int, ...]
"""The way to a key: ("projects", "shop", "domains", 0)."""


class Wrong(ValueError):
    """What is wrong, and with which keys."""

    def __init__(self, found: tuple[tuple[At, str], ...]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, at))}: {what}" for at, what in found))
        self.found = found


def contradictions(settings: Settings) -> Iterator[tuple[At, str]]:
    yield from _projects_of_other_names(settings)
    yield from _domains_of_several(settings)
    yield from _snapshots_without_a_freeze(settings)
    yield from _protections(settings)
    yield from _tokens_that_are_one(settings)
    yield from _weak_secrets(settings)
    yield from _reports_to_nobody(settings)
    yield from _state_that_does_not_last(settings)
    yield from _ports_of_two(settings)
    pool = ipaddress.IPv4Network(settings.network_pool)
    if pool.prefixlen > settings.subnet_prefix:
        yield ("subnet_prefix",), f"a /{settings.subnet_prefix} does not fit into the network_pool {pool}"


def _projects_of_other_names(settings: Settings) -> Iterator[tuple[At, str]]:
    for name, project in settings.projects.items():
        if project.id != name:
            yield ("projects", name, "id"), f"the project is called {name} by its file; leave `id` out"


def _domains_of_several(settings: Settings) -> Iterator[tuple[At, str]]:
    taken: dict[str, str] = {}
    for project in settings.projects.values():
        for number, domain in enumerate(project.domains):
            other = taken.setdefault(domain, project.id)
            if other != project.id:
                at = "projects", project.id, "domains", number
                yield at, f"{domain} is a domain of {other} too; visitors can see one"


def _snapshots_without_a_freeze(settings: Settings) -> Iterator[tuple[At, str]]:
    for project in settings.projects.values():
        rolls = any(settings.strategy_of(project, name) == "rolling" for name in ("", *project.environments))
        own = project.snapshot_before_deploy
        if rolls and (settings.snapshot_before_deploy if own is None else own):
            yield ("projects", project.id), (
                "snapshot_before_deploy needs a freeze, and strategy rolling has none; choose one of them"
            )


def _protections(settings: Settings) -> Iterator[tuple[At, str]]:
    for project in settings.projects.values():
        for branch in project.protected_branches:
            at: At = ("projects", project.id, "environments", branch, "protected")
            source = project.source_of(branch)
            if source == branch:
                yield at, (
                    f"{branch} would take commits from itself; name its `source`, or let another branch be production"
                    f" (production_branch)"
                )
            elif _goes_round(project, branch):
                yield at, f"it takes commits from {source}, which takes them from {branch} again"
            yield from _secrets_before_approval(project, branch)


def _goes_round(project: ProjectSettings, branch: str) -> bool:
    at, seen = project.source_of(branch), {branch}
    while project.protection_of(at) is not None and at not in seen:
        seen.add(at)
        at = project.source_of(at)
    return at == branch


def _secrets_before_approval(project: ProjectSettings, branch: str) -> Iterator[tuple[At, str]]:
    protection = project.protection_of(branch)
    if protection is None or not (protection.approvals or project.remote):
        return
    before = "anybody has approved" if protection.approvals else (
        "it is known whether what comes by a webhook is merged"
    )
    for name, variable in project.environment_variables(branch).items():
        if variable.sensitive and variable.visible_build:
            yield ("projects", project.id, "environments", branch, "variables", name), (
                f"it is sensitive and visible in builds, and these run before {before}; a secret that builds"
                " need belongs to the project's `variables`, one of the environment to its run time"
            )


def _tokens_that_are_one(settings: Settings) -> Iterator[tuple[At, str]]:
    names: set[str] = set()
    secrets: dict[str, str] = {}
    for number, token in enumerate(settings.tokens):
        if token.name in names:
            yield ("tokens", number, "name"), f"there is another token {token.name}; nobody could tell them apart"
        names.add(token.name)
        other = secrets.setdefault(token.secret.get_secret_value(), token.name)
        if other != token.name:
            yield ("tokens", number, "secret"), f"it is the secret of {other} too, and who comes with it is {other}"


def _weak_secrets(settings: Settings) -> Iterator[tuple[At, str]]:
    """Of everything that opens a door of ours."""
    keys = [(("tokens", number, "secret"), token.secret) for number, token in enumerate(settings.tokens)]
    hooks = [
        (("projects", project.id, "remote", "webhook_secrets", number), secret)
        for project in settings.projects.values() if project.remote
        for number, secret in enumerate(project.remote.webhook_secrets)
    ]
    for at, secret in (*keys, *hooks):
        if why := weakness_of(secret.get_secret_value()):
            yield at, f"{why}; make another with: openssl rand -hex 24"


def _reports_to_nobody(settings: Settings) -> Iterator[tuple[At, str]]:
    for project in settings.projects.values():
        remote = project.remote
        if remote is None or remote.reports is None:
            continue
        at: At = ("projects", project.id, "remote")
        repository = repository_of(remote.url)
        if remote.forge is None:
            yield (*at, "forge"), f"`reports` need to know whom to tell; name the forge: {', '.join(FORGES)}"
        if not repository.host and remote.reports.api is None:
            yield (*at, "reports", "api"), "the remote is a folder; name the address of the forge's API"
        if "/" not in repository.path:
            yield (*at, "url"), f"{remote.url} has no owner/name, by which a forge knows a repository"


def _state_that_does_not_last(settings: Settings) -> Iterator[tuple[At, str]]:
    if settings.run in (settings.state, *settings.state.parents):
        yield ("state",), f"{settings.state} is or lies in `run` ({settings.run}), which a reboot empties"


def _ports_of_two(settings: Settings) -> Iterator[tuple[At, str]]:
    """The daemon and the router listen side by side, unless each has an address of its own."""
    host, port = settings.listen_address
    everywhere = {"0.0.0.0", "::"}
    apart = host != settings.router.address and not everywhere & {host, settings.router.address}
    if port in (settings.router.http_port, settings.router.https_port) and not apart:
        yield ("listen",), f"port {port} is the router's: `router.http_port` or `router.https_port`"
    taken = {settings.router.http_port, settings.router.https_port, port}
    if settings.mail.enabled and settings.smtp_port in taken:   # containers reach both at the same address
        yield ("mail", "port"), f"port {settings.smtp_port} is the router's or that of `listen`"
