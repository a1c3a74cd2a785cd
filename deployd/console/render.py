"""Values become HTML. Everything is escaped: access logs are written by strangers, reasons by programs.

Styles and the script lie in files of their own, so that the policy allows neither within a page. Every page can be read
and every action be done without the script, which only keeps pages current.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from deployd import __version__
from deployd.access.actions import Action, may
from deployd.units import MEGABYTE

FOLDER = Path(__file__).parent
FILES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""{file: its type}; everybody may have them, the page that asks for a token too."""
TONES = {
    "good": ("done", "passed", "live", "open", "runs", "success", "valid"),
    "busy": (
        "building", "deploying", "held", "in_progress", "next", "pending", "running", "undoing", "waiting", "waits",
        "waking",
    ),
    "bad": ("away", "failed", "declined", "expired", "maintenance", "refused", "stuck"),
}
"""{tone: words that have it}; all others are quiet."""
SIGNS = {"good": "●", "busy": "◐", "bad": "▲", "quiet": "○"}
"""A tone is not told by its colour alone."""
MINUTE = 60


def render(page: str, /, **values: Any) -> str:
    """A page from its template."""
    return _templates().get_template(page).render(values)


async def rendered(page: str, /, **values: Any) -> str:
    """In a thread: a thousand rows take 0.1 s, in which nobody else would be answered."""
    return await asyncio.to_thread(partial(render, page, **values))


def render_part(name: str, macro: str, values: Mapping[str, Any]) -> str:
    """An element of a page, by a macro of `live.html`."""
    made: Markup = getattr(_live(), macro)(name, **values)
    return str(made).strip()


def prepare_templates() -> None:
    """Compile them all, which takes a third of a second: in a thread, before somebody wants a page. Blocking."""
    for name in _templates().list_templates():
        _templates().get_template(name)
    _live()


@cache
def _live() -> Any:
    return _templates().get_template("live.html").module


@cache
def read_file(name: str) -> bytes:
    return (FOLDER / "files" / name).read_bytes()


@cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )
    made.filters |= {
        "moment": moment, "duration": duration, "state": state, "host": host, "age": age, "running": running,
        "site": site, "megabytes": megabytes, "length_of_time": length_of_time,
    }
    # A new look has a new address, so browsers may keep the file for ever.
    made.globals |= {name.replace(".", "_"): f"/console/{name}?{digest(name)}" for name in FILES}
    made.globals |= {"version": __version__, "part": _part, "Action": Action, "may": may}
    return made


def _part(name: str, part: Any) -> Markup:
    """A part within its page."""
    return Markup(render_part(name, part.macro, part.values))


@cache
def digest(name: str) -> str:
    """Of a file; it stands in the file's address."""
    return hashlib.sha256(read_file(name)).hexdigest()[:12]


def host(url: str) -> str:
    """Of an address, as certificates are named."""
    return urlsplit(url).hostname or ""


def site(url: str) -> str:
    """An address as people call it: without its scheme."""
    return url.partition("://")[2].removesuffix("/") or url


def moment(text: str, *, seconds: bool = False) -> str:
    """A date for people, to the minute or the second, as it stands in a log; empty when there is none."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return text
    shown = f"{read:%Y-%m-%d %H:%M:%S}" if seconds else f"{read:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}">{}</time>').format(read.isoformat(), shown)


def age(text: str) -> str:
    """A date that the page's script shows as `3 min ago`, and that is a date without it."""
    return _time(text, "ago")


def running(text: str) -> str:
    """A date that the page's script shows as the time since then, and that is a date without it."""
    return _time(text, "since")


def _time(text: str, shown: str) -> str:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return text
    made = Markup('<time datetime="{}" data-shown="{}" title="{}">{}{}</time>')
    before, exact = "since " if shown == "since" else "", f"{read:%Y-%m-%d %H:%M}"
    return made.format(read.isoformat(), shown, f"{read:%Y-%m-%d %H:%M:%S} UTC", before, exact)


def length_of_time(seconds: float) -> str:
    """`5 min`, `3 h`, `12 days`: roughly."""
    for name, unit in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * unit or unit == MINUTE:
            return f"{seconds // unit:.0f} {name}"
    raise AssertionError(seconds)


def megabytes(size: int) -> str:
    """`12 MB`, `1.5 GB`; what is less than half a megabyte is `0 MB`."""
    if size < 1000 * MEGABYTE:
        return f"{size / MEGABYTE:.0f} MB"
    return f"{size / 1000 / MEGABYTE:.1f} GB"


def duration(seconds: float | None) -> str:
    """`3.4 s`, `2 min 5 s`; empty when it is not known."""
    if seconds is None:
        return ""
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    return f"{seconds // MINUTE:.0f} min {seconds % MINUTE:.0f} s"


def state(word: str) -> str:
    """A state with its sign; the sign is not read aloud."""
    tone = next((tone for tone, words in TONES.items() if word in words), "quiet")
    shape = Markup('<span class="state {}"><span aria-hidden="true">{}</span> {}</span>')
    return shape.format(tone, SIGNS[tone], word.replace("_", " "))
