"""What is offered for approval: slugs, configuration and plan of what would become live, and their digest. Pure.

Whoever approves approves this digest. A newer commit, another variable, another version that is live meanwhile: each
makes it another one, and nobody has approved that.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

DIGEST_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class OfferedApp:
    name: str
    slug: str
    running: str
    """Digest of what run time depends on: hooks, relationships, variables."""
    image: str
    is_from_source: bool = False
    """It is the very slug that is live in the source's environment."""


@dataclass(frozen=True, slots=True)
class OfferedService:
    name: str
    type: str
    digest: str
    image: str
    action: str
    """`create`, `keep`, `recreate` or `remove`."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What would become live, as far as visitors and applications could tell."""

    environment: str
    commit: str
    before: str
    """The commit that is live now; empty when nothing is."""
    apps: tuple[OfferedApp, ...]
    services: tuple[OfferedService, ...]
    routes: tuple[str, ...]
    deploy_hook: bool
    is_rolling: bool

    @property
    def digest(self) -> str:
        """What an approval is bound to."""
        values = asdict(self)
        for app in values["apps"]:
            del app["is_from_source"]   # where else a slug is live changes nothing of it
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:DIGEST_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Brief:
    """What people read of it before they approve."""

    subject: str = ""
    """The first line of the commit's message."""
    author: str = ""
    commits: tuple[tuple[str, str, str, str], ...] = ()
    """(commit, subject, author, when) of the newest commits since what is live."""
    count: int = 0
    """All of them."""
    back: int = 0
    """Commits that are live now and would not be any more."""
    authors: tuple[str, ...] = ()
    """`Ada Lovelace <ada@example.com>`, each once."""
    plan: tuple[str, ...] = ()
    slugs: tuple[tuple[str, str, str], ...] = ()
    """(application, slug, from where it is): what was tested is what goes live."""
    differs: tuple[str, ...] = ()
    """What is otherwise than in the source's environment: variables, services, domains."""


@dataclass(frozen=True, slots=True)
class Offer:
    offered: Offered
    brief: Brief
