"""Cache times and sizes as people write them: `5m`, `1y`, `-1`, `250m` (configuration format 4.8). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field
from deployd.project.findings.spelling import shown
from deployd.project.yaml.nodes import ScalarNode

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000, "": 1}
_DURATION = re.compile(r"(\d{1,9})(ms|[smhdwMy]?)", re.ASCII)
_SIZE = re.compile(r"(\d{1,9})([kKmMgG]?)[bB]?", re.ASCII)
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
LONGEST_SECONDS = 100 * 31_536_000


def read_expires(field: Field | None) -> int | None:
    """Seconds, -1 forbids caching. `M` is months of 30 days, `m` minutes."""
    if field is None:
        return None
    value = field.node.value if isinstance(field.node, ScalarNode) else None
    if isinstance(value, int) and not isinstance(value, bool) and -1 <= value <= LONGEST_SECONDS:
        return value
    text = field.raw.strip()
    if text in ("-1", "-1s"):
        return -1
    found = _DURATION.fullmatch(text)
    if found and not isinstance(value, bool):
        seconds = int(int(found[1]) * _UNITS[found[2]])
        if seconds <= LONGEST_SECONDS:
            return seconds
    field.wrong(
        "not-a-duration",
        f"`{shown(field.raw)}` is not a time to keep something" if field.raw else "this is not a time",
        "write seconds, or a number and a unit without a space: `ms`, `s`, `m` (minutes), `h`, `d`, `w`, `M` (months), "
        "`y`; -1 forbids caching",
    )
    return None


def read_size_bytes(field: Field | None) -> int | None:
    """`250m` → 262,144,000; a bare number is bytes."""
    if field is None:
        return None
    found = _SIZE.fullmatch(field.raw.strip()) if isinstance(field.node, ScalarNode) else None
    if found:
        return int(found[1]) * _FACTORS[found[2].lower()]
    field.wrong(
        "not-a-size",
        f"`{shown(field.raw)}` is not a size" if field.raw else "this is not a size",
        "write bytes, or a number and `K`, `M` or `G`: `250m`",
    )
    return None
