"""A line of the router's access log: what the daemon needs of it in front, and JSON for people behind. Pure.

`config/router/nginx.conf.j2` writes it: environment, status, seconds and the JSON, separated by tabs, which no value
holds (nginx escapes them).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessLine:
    environment: str
    """`<project>/<environment>`."""
    status: int
    seconds: float
    """From the first byte of the request to the last one of the answer; with what it was held."""
    text: bytes
    """JSON of the whole request, without a line break."""


def parse_access_line(line: bytes) -> AccessLine | None:
    """None for what nginx did not write whole."""
    parts = line.split(b"\t")
    if len(parts) != 4 or not parts[3].endswith(b"}"):
        return None
    try:
        return AccessLine(parts[0].decode(), int(parts[1]), float(parts[2]), parts[3])
    except ValueError:
        return None
