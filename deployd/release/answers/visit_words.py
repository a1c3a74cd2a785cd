"""What an answer that visitors will not like usually means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

BY_TEXT: tuple[tuple[str, str], ...] = (
    ("ALLOWED_HOSTS", "Django does not know this host: put it into ALLOWED_HOSTS, from PLATFORM_ROUTES for example"),
    ("DisallowedHost", "Django does not know this host: put it into ALLOWED_HOSTS, from PLATFORM_ROUTES for example"),
    ("Blocked host", "the framework does not know this host: Rails has config.hosts for it, Vite server.allowedHosts"),
    ("Invalid Host header", "a development server does not know this host; production wants another server"),
    ("var/.maintenance.flag", "Magento is in maintenance mode: `bin/magento maintenance:disable` in its container"),
)
"""What stands in the answer goes before its status."""
BY_STATUS: dict[int, str] = {
    400: "mostly a framework that does not know this host (Django's ALLOWED_HOSTS, Rails' config.hosts, trusted_hosts):"
         " put it there, from PLATFORM_ROUTES for example",
    401: "the application asks for a name and a password by itself",
    403: "mostly a folder without an index file, a location with `allow: false` or without `passthru`, or a host that"
         " the framework does not know",
    404: "nothing is at this path: an `index` or `passthru` is missing in `web.locations`, the build left no file"
         " there, or the application only answers other paths",
    405: "the application does not take GET at this path",
    421: "the application does not know this host",
    426: "the application wants another protocol there, a WebSocket for example",
    500: "the application failed: its own log says why; often a variable, a migration or a writable mount is missing",
    502: "nothing answers behind the application's web server: its start command ended, or hung up",
    503: "the application says that it is not there for visitors: a maintenance mode that is still on, or a service"
         " that it does not reach",
    504: "the application took too long",
}
BY_CLASS = {4: "the application refuses it", 5: "the application failed: its own log says why"}
CIRCLE = (
    "it redirects to itself: mostly it does not see that it is asked over https, so let it trust X-Forwarded-Proto"
)


@dataclass(frozen=True, slots=True)
class Visit:
    """What a URL answered."""

    url: str
    status: int = 0
    """0: there was no answer."""
    lines: tuple[str, ...] = ()
    """Its first ones, as a person would read them."""
    why: str = ""
    """Why there was none."""
    in_circles: bool = False
    """It redirects to itself."""

    @property
    def is_well(self) -> bool:
        return 200 <= self.status < 400 and not self.in_circles

    @property
    def answer(self) -> str:
        """`400 Bad Request`, `no answer within 5 s`"""
        if not self.status:
            return self.why or "no answer"
        try:
            words = f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            words = str(self.status)
        return f"{words}, which leads to itself" if self.in_circles else words


def usually(visit: Visit) -> str:
    """What is usually meant, with what to do; empty when it is well."""
    if visit.is_well:
        return ""
    if visit.in_circles:
        return CIRCLE
    for text, meaning in BY_TEXT:
        if any(text in line for line in visit.lines):
            return meaning
    return BY_STATUS.get(visit.status) or BY_CLASS.get(visit.status // 100, "")


def sentence(visit: Visit) -> str:
    """`visitors get 400 Bad Request at https://…: mostly …`"""
    meant = usually(visit)
    return f"visitors get {visit.answer} at {visit.url}" + (f": {meant}" if meant else "")


def worse_than_usual(visits: Sequence[Visit], usual: dict[str, int]) -> tuple[Visit, ...]:
    """Those that answer badly, and did not do so when their version became live; errors of a server are never usual.
    One that was asked too often (429) says nothing of what others get.

    Args:
        usual: {URL: what it answered then}; one that is not known is expected to be well.
    """
    return tuple(
        visit for visit in visits
        if not visit.is_well and visit.status != HTTPStatus.TOO_MANY_REQUESTS
        and (usual.get(visit.url) != visit.status or not 0 < visit.status < 500)
    )
