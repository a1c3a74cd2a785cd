"""One line of an activity log: as it stands in the file, and as a terminal shows it. Pure.

No colours, and the pusher's git adds `remote:` in front:

    ▸ build
        shop  composer install
        shop  │ Installing dependencies from lock file
    ✗ the build hook of shop ended with exit code 1   .magento.app.yaml:12
      | npm ERR! missing script: build
      hint: …
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from deployd.activity.colours import STYLES, Span

END_MARKS = {"success": "✓", "failed": "✗", "cancelled": "■", "superseded": "■"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an activity's log."""

    number: int
    at: str
    """ISO 8601, UTC."""
    kind: str
    """`phase`, `line`, `output`, `warn`, `done`, `error`, `held` or `end`."""
    phase: str
    text: str
    app: str = ""
    where: str = ""
    more: tuple[str, ...] = ()
    """Evidence and hint of an error; evidence of a warning."""
    colours: tuple[Span, ...] = ()
    """Of a program's output; see `colours.py`."""


NAMES = tuple(field.name for field in fields(Line))

def write_line(line: Line) -> bytes:
    """A line as bytes of the file, without its line break."""
    values = line_values(line)
    if not line.colours:   # most have none, and there are many
        del values["colours"]
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "replace")


def line_values(line: Line) -> dict[str, Any]:
    """A line as a value of JSON."""
    # Not `asdict`: it copies, and there are many lines.
    return {name: getattr(line, name) for name in NAMES}


def parse_line(raw: bytes | str) -> Line | None:
    """A line of the file as a value; None for one that was torn when the daemon died or the disk was full."""
    try:
        values: dict[str, Any] = json.loads(raw)
        colours = tuple(_span(span) for span in values.get("colours", ()))
        return Line(**{**values, "more": tuple(values["more"]), "colours": colours})
    except (ValueError, TypeError, KeyError):
        return None


def render_line(line: Line) -> list[str]:
    """The text of one line, several for an error."""
    who = f"{line.app}  " if line.app else ""
    match line.kind:
        case "phase":
            return [f"▸ {line.text}"]
        case "output":
            return [f"    {who}│ {line.text}"]
        case "warn":
            return [f"  ! {line.text}", *(f"    {item}" for item in line.more)]
        case "done":
            return [f"  ✓ {line.text}"]
        case "error":
            head = f"✗ {line.phase + ': ' if line.phase else ''}{line.text}"
            return [f"{head}   {line.where}" if line.where else head, *(f"  {item}" for item in line.more)]
        case "held":
            return [f"■ {line.text}", *(f"  {item}" for item in line.more)]
        case "end":
            return [f"{END_MARKS.get(line.where, '•')} {line.text}"]
        case _:
            return [f"    {who}{line.text}"]


def _span(values: Any) -> Span:
    """Checked word for word: these become names of classes in HTML."""
    first, length, style = values
    if not set(str(style).split()) <= STYLES:
        raise ValueError(f"no style: {style!r}")
    return int(first), int(length), str(style)
