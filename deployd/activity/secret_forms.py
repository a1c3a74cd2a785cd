"""The texts by which a secret can be met in a log: in parts, and as programs write it. Pure.

A value is taken apart first (its lines, the strings within its JSON), then each part is written in every way that
programs have: quoted, escaped, encoded. Who wants a secret out can always write it in a way of his own, backwards or a
letter a line; this is for logs that people read, and no wall.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from deployd.environment.variables import as_text
from deployd.project.model import Json

SHORTEST = 6
"""A shorter one would mask ordinary words."""
SHORTEST_LINE = 8
"""Of a value of several lines; a shorter one is `}` or `debug:`, mostly."""
DEEPEST = 20
"""JSON in strings of JSON, and values in values."""
ARMOUR = "-----"
"""Around the lines of a key. They are the same in all keys."""


def is_maskable(value: Json) -> bool:
    """Whether a value is long enough to be found again without masking half of every log."""
    return len(as_text(value)) >= SHORTEST


def forms_of(value: Json) -> set[str]:
    """Every text of a value and of its parts, as they are and as programs write them."""
    parts = {part for part in _parts(value) if len(part) >= SHORTEST}
    return {form for part in parts for form in _written(part) if len(form) >= SHORTEST}


def _parts(value: Json, depth: int = 0) -> Iterator[str]:
    """The value as its text, the lines of it, and the same of what stands in it as JSON."""
    text = as_text(value)
    yield text
    if isinstance(value, str):
        lines = text.splitlines()
        if len(lines) > 1:
            yield text.strip()
            stripped = (line.strip() for line in lines)
            yield from (line for line in stripped if len(line) >= SHORTEST_LINE and not line.startswith(ARMOUR))
    if depth == DEEPEST:
        return
    inner = _inner_json(value) if isinstance(value, str) else value
    leaves = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ()
    for leaf in leaves:
        yield from _parts(leaf, depth + 1)


def _inner_json(text: str) -> Json:
    """What a text says when it is an object or a list of JSON; else None."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        inner: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return inner


def _written(part: str) -> Iterator[str]:
    escaped = json.dumps(part)[1:-1]
    unescaped = json.dumps(part, ensure_ascii=False)[1:-1]
    yield from (part, escaped, unescaped, escaped.replace("/", "\\/"), repr(part)[1:-1], html.escape(part))
    for quoted in ("'\"'\"'", "'\\''"):   # as shlex and `set -x` write a quote within quotes
        yield part.replace("'", quoted)
    yield from (quote(part, safe=""), quote(part), quote_plus(part), quote(part, safe="").replace("%20", "+"))
    yield _lower_case_percent(quote(part, safe=""))
    for text in {part, escaped, unescaped}:
        raw = text.encode("utf-8", "surrogateescape")
        yield from (raw.hex(), raw.hex().upper())
        yield from _base64(raw)


def _lower_case_percent(text: str) -> str:
    head, *rest = text.split("%")
    return "%".join((head, *(item[:2].lower() + item[2:] for item in rest)))


def _base64(raw: bytes) -> Iterator[str]:
    """As it stands in the base64 of any longer text: three letters of it are made of two bytes and more, so what a
    byte becomes depends on where it stands. The letters at the ends, which neighbours have a part in, are left out."""
    for before in range(3):
        bits = (before + len(raw)) * 8
        first, last = -(-before * 8 // 6), bits // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + raw).decode()[first:last]
