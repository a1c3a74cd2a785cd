"""Which keys a mapping may have, as tables: the reader checks by them, and docs/configuration.md is made from them.

A key is honoured, or it is accepted with a warning, or refused; for the last two the table holds the reason that
people read. Nothing is silently ignored, because what no table names is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Treatment = Literal["honoured", "noted", "once", "warned", "refused"]
"""`once`: a warning for the first of them only, because nearly every project has the key. `noted`: without a warning of
its own, because the key around it has one."""


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    type: str
    """For people: `string`, `integer, MB`, `mapping`."""
    about: str = ""
    """What it does, or why it is not honoured; the warning ends with it then."""
    default: str = ""
    treatment: Treatment = "honoured"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The keys of one kind of mapping."""

    name: str
    """Heading in the docs: `application`, `web.locations.<path>`."""
    keys: tuple[Key, ...]
    noun: str = ""
    """What the mapping is in a sentence: `an application`."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """{key that people write here: what to do about it}"""

    def key(self, name: str) -> Key | None:
        return next((key for key in self.keys if key.name == name), None)

    def names(self) -> list[str]:
        return [key.name for key in self.keys if key.treatment != "refused"]
