"""Domains of an environment: what the placeholders of routes stand for, and how far cookies may go. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Domains:
    """What the placeholders stand for, and the ports of the router."""

    development: str
    """Host of the environment from the operator's template."""
    own: tuple[str, ...] = ()
    """Domains of the project; only production has them."""
    http_port: int = 80
    https_port: int | None = 443

    @property
    def default(self) -> str:
        return self.own[0] if self.own else self.development


def cookies_within(host: str, domains: Domains, shared: str) -> str | None:
    """The domain beyond which cookies of a host must not go, because hosts of other environments are there.

    Args:
        shared: What all hosts that deployd gives end with; see `shared_domain`.

    Returns:
        None: nobody else has a host beside it; a domain of the project's own is its own affair.
    """
    bare = host.removeprefix("*.")
    if _is_below(bare, domains.development):
        return domains.development
    if not shared or not _is_below(bare, shared):
        return None
    own = [domain for domain in domains.own if domain != shared and _is_below(domain, shared)]
    return max((domain for domain in own if _is_below(bare, domain)), key=len, default=None)


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
