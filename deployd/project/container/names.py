"""What applications and services may be called (configuration format 4.2). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field
from deployd.project.findings.spelling import shown

NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII)


def check_name(field: Field, name: str) -> bool:
    """Whether a name of an application or a service can be one; it becomes part of host and container names."""
    if NAME.fullmatch(name):
        return True
    suggestion = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:63]
    field.wrong(
        "bad-name",
        f"`{shown(name)}` cannot be a name",
        "use lower-case letters, digits, `-` and `_`, at most 63" + (f": `{suggestion}`" if suggestion else ""),
    )
    return False
