"""What commands print (tables, sizes, and text of others, which moves no cursor), and moments that they are told."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

WIDE = 220
"""Columns of a table that goes into a file or a pipe: lines are not folded there."""
SIZES = ("B", "kB", "MB", "GB", "TB")   # each of 1024 of the one before, as in `units.py`
STEP = 1024
COLOUR = r"\x1b\[[0-9;]*m"
OTHER_SEQUENCE = re.compile(rf"(?!{COLOUR})\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
RESET = "\x1b[0m"


def harmless(text: str) -> str:
    """The text with nothing but colours left of its control characters, and with these ended."""
    clean = CONTROL.sub("", OTHER_SEQUENCE.sub("", text))
    return clean + RESET if "\x1b" in clean else clean


def size(count: float) -> str:
    """Bytes for people: `7.6 MB`."""
    for unit in SIZES:
        if count < STEP or unit == SIZES[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= STEP
    raise AssertionError(count)


def show(items: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """A table for people, or JSON for programs."""
    if as_json:
        show_json(items)
        return
    from rich.console import Console  # slow to load, and nobody else needs it
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for item in items:
        # As Text: in a plain string rich reads `[…]` as its own markup.
        table.add_row(*(Text(harmless(_cell(column, item.get(column)))) for column in columns))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def show_json(found: Any) -> None:
    """One document for programs."""
    click.echo(json.dumps(found, indent=2))


def _cell(column: str, value: Any) -> str:
    if value is None or value == "":
        return "-"
    if column == "commit":
        return str(value)[:8]
    if column == "seconds":
        return f"{value:.1f}"
    if column.endswith("_at") or column == "since":
        return str(value)[:19].replace("T", " ")
    return str(value)


def moment(text: str | None) -> str | None:
    """ISO 8601 with an offset; without one it is the time of whoever asks."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no moment; write 2026-12-01T06:00+01:00") from None
    return (read if read.tzinfo else read.astimezone()).astimezone(UTC).isoformat()
