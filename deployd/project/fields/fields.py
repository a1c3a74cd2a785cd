"""Nodes to typed values, key by key, with a finding in place of an exception for everything that has the wrong shape.

`Field` is one value and the dotted path of its key; `Fields` is a mapping whose possible keys stand in a `Table`. A
value that is wrong gives None (or the default) and reading goes on, so that all errors come at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deployd.project.fields.keys import Table
from deployd.project.findings.findings import Findings
from deployd.project.findings.spelling import guess, listed, nearest, shown
from deployd.project.model.json import Json
from deployd.project.model.place import Place
from deployd.project.yaml.nodes import ListNode, MapNode, Node, ScalarNode, is_empty, is_null

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_MEANT = {
    **dict.fromkeys(("yes", "on", "enabled", "enable", "y", "1"), "true"),
    **dict.fromkeys(("no", "off", "disabled", "disable", "n", "0"), "false"),
}


def under(key: str, name: str) -> str:
    """`web.locations` and `/` → `web.locations["/"]`"""
    if _PLAIN_KEY.fullmatch(name):
        return f"{key}.{name}" if key else name
    return f'{key}["{shown(name)}"]'


@dataclass(frozen=True, slots=True)
class Field:
    """One value, where it stands, and where findings about it go."""

    node: Node
    key: str
    findings: Findings
    name: ScalarNode | None = None
    """The key's own node, for findings about the key and not about its value."""

    @property
    def place(self) -> Place:
        """Where the key stands, or the value when it has none."""
        return (self.name or self.node).place

    @property
    def raw(self) -> str:
        """A scalar's text as written, else ""."""
        return self.node.text if isinstance(self.node, ScalarNode) else ""

    @property
    def included(self) -> str:
        """The file that its text was read from by `!include`, else ""."""
        return self.node.included if isinstance(self.node, ScalarNode) else ""

    def wrong(self, code: str, what: str, hint: str = "", *, related: tuple[Place, ...] = ()) -> None:
        self.findings.error(code, self.node, what, hint, key=self.key, related=related)

    def warn(self, code: str, what: str, hint: str = "", *, related: tuple[Place, ...] = ()) -> None:
        self.findings.warn(code, self.node, what, hint, key=self.key, related=related)

    def wrong_name(self, code: str, what: str, hint: str = "", *, related: tuple[Place, ...] = ()) -> None:
        """Like `wrong`, about the key itself."""
        self.findings.error(code, self.name or self.node, what, hint, key=self.key, related=related)

    def warn_name(self, code: str, what: str, hint: str = "") -> None:
        self.findings.warn(code, self.name or self.node, what, hint, key=self.key)

    def text(self) -> str | None:
        if isinstance(self.node, ScalarNode) and isinstance(self.node.value, str):
            return self.node.value
        hint = (
            f'put it in quotes: "{shown(self.raw)}"' if self.raw else "write one text; `|` begins one of several lines"
        )
        self._wrong_type("a string", hint)
        return None

    def integer(self, least: int | None = None, most: int | None = None, unit: str = "") -> int | None:
        value = self.node.value if isinstance(self.node, ScalarNode) else None
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,18}", value, re.ASCII):
            self.findings.strict(
                "wrong-type",
                self.node,
                f"{self._last()} must be an integer, `{value}` in quotes is a string",
                f"remove the quotes: {value}",
                key=self.key,
            )
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong_type("an integer", f"write a whole number{f' of {unit}' if unit else ''}{self._in_mb(unit)}")
            return None
        tail = f" {unit}" if unit else ""
        if least is not None and value < least:
            self.wrong(
                "too-small", f"{self._last()} must be at least {least}{tail}, not {value}", f"write {least} or more"
            )
            return None
        if most is not None and value > most:
            self.wrong("too-large", f"{self._last()} may be at most {most}{tail}, not {value}", f"write {most} or less")
            return None
        return value

    def _in_mb(self, unit: str) -> str:
        """`2GB` → `: 2048`"""
        found = re.fullmatch(r"(\d{1,6})\s*([MGT])i?B?", self.raw.strip(), re.ASCII | re.IGNORECASE)
        if unit != "MB" or not found:
            return ""
        return f": {int(found[1]) * {'M': 1, 'G': 1024, 'T': 1 << 20}[found[2].upper()]}"

    def boolean(self) -> bool | None:
        value = self.node.value if isinstance(self.node, ScalarNode) else None
        if isinstance(value, bool):
            return value
        meant = _MEANT.get(value.lower()) if isinstance(value, str) else None
        if isinstance(value, str) and value.lower() in ("true", "false"):
            self._wrong_type("true or false", f"remove the quotes: {value.lower()}")
        else:
            self._wrong_type("true or false", f"write `{meant}`" if meant else "write `true` or `false`")
        return None

    def one_of(self, allowed: tuple[str, ...]) -> str | None:
        number = isinstance(self.node, ScalarNode) and not isinstance(self.node.value, str)
        value = self.raw if number and self.raw not in allowed else self.text()
        if value is None or value in allowed:
            return value
        self.wrong("not-allowed", f"`{shown(value)}` is not a value of {self._last()}", guess(value, allowed))
        return None

    def items(self) -> list[Field]:
        """Items of a list; [] and a finding when it is none."""
        if not isinstance(self.node, ListNode):
            self._wrong_type("a list", f"write `- {shown(self.raw)}`" if self.raw else "begin each item with `- `")
            return []
        return [Field(item, f"{self.key}[{number}]", self.findings) for number, item in enumerate(self.node.items)]

    def texts(self) -> tuple[str, ...]:
        found = [item.text() for item in self.items()]
        return tuple(text for text in found if text is not None)

    def entries(self, *, dots: str = "") -> list[tuple[str, Field]]:
        """Entries of a mapping with free keys; keys that begin with a dot are dropped (configuration format 2).

        Args:
            dots: How to mend a dropped key; "" where dot keys are the idiom for templates, and dropped silently.
        """
        if not isinstance(self.node, MapNode):
            self._wrong_type("a mapping", "write `name: value`, one a line, indented")
            return []
        found = []
        for entry in self.node.entries:
            name = entry.key.text
            field = Field(entry.value, under(self.key, name), self.findings, entry.key)
            if name.startswith(".") and not name.startswith(("./", "../")):
                if dots:
                    field.warn_name("dot-key", f"`{shown(name)}` is ignored, as every key that begins with a dot", dots)
                continue
            found.append((name, field))
        return found

    def fields(self, table: Table) -> Fields | None:
        """A mapping with known keys; None and a finding when it is no mapping."""
        if not isinstance(self.node, MapNode):
            example = listed(table.names()[:3], "and")
            self._wrong_type("a mapping", f"write its keys below it, indented: {example}" if example else "")
            return None
        return Fields(self.node, self.key, self.findings, table, self.name)

    def json(self) -> Json:
        return self.node.json()

    def is_null(self) -> bool:
        return is_null(self.node)

    def _wrong_type(self, expected: str, hint: str) -> None:
        given = f"`{shown(self.raw)}` is {self.node.kind}" if self.raw else f"this is {self.node.kind}"
        if self.is_null():
            given = "but nothing is given"
        self.wrong("wrong-type", f"{self._last()} must be {expected}, {given}", hint)

    def _last(self) -> str:
        """The last key, as a sentence quotes it."""
        if self.name is not None:
            return f"`{shown(self.name.text)}`"
        last, bracket, _ = self.key.rsplit(".", 1)[-1].partition("[")
        return f"an item of `{last}`" if bracket and last else f"`{last}`"


class Fields:
    """A mapping that is read by name. Unknown keys are found when it is opened."""

    def __init__(
        self, node: MapNode, key: str, findings: Findings, table: Table, name: ScalarNode | None = None
    ) -> None:
        self.node = node
        self.key = key
        self.findings = findings
        self.table = table
        self.name = name
        self._fields = {
            entry.key.text: Field(entry.value, under(key, entry.key.text), findings, entry.key)
            for entry in node.entries
        }
        self._check_keys()

    @property
    def place(self) -> Place:
        return (self.name or self.node).place

    def get(self, name: str) -> Field | None:
        """The value of a key, or None when it is absent or null."""
        assert self.table.key(name), f"{name} is not in the table {self.table.name}"
        field = self._fields.get(name)
        return None if field is None or field.is_null() else field

    def given(self, name: str) -> bool:
        """Whether the key is there, null or not."""
        return name in self._fields

    def require(self, name: str, hint: str = "") -> Field | None:
        field = self.get(name)
        if field is None:
            at: Node = self._fields[name].node if name in self._fields else (self.name or self.node)
            noun = self.table.noun or f"`{self.table.name}`"
            self.findings.error(
                "missing-key", at, f"{noun} needs the key `{name}`", hint or f"add `{name}:`", key=under(self.key, name)
            )
        return field

    def text(self, name: str) -> str | None:
        field = self.get(name)
        return None if field is None else field.text()

    def integer(self, name: str, least: int | None = None, most: int | None = None, unit: str = "") -> int | None:
        field = self.get(name)
        return None if field is None else field.integer(least, most, unit)

    def boolean(self, name: str, default: bool = False) -> bool:
        field = self.get(name)
        value = None if field is None else field.boolean()
        return default if value is None else value

    def maybe_boolean(self, name: str) -> bool | None:
        field = self.get(name)
        return None if field is None else field.boolean()

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        field = self.get(name)
        return default if field is None else field.texts()

    def entries(self, name: str, *, dots: str = "") -> list[tuple[str, Field]]:
        field = self.get(name)
        return [] if field is None else field.entries(dots=dots)

    def fields(self, name: str, table: Table) -> Fields | None:
        field = self.get(name)
        return None if field is None else field.fields(table)

    def _check_keys(self) -> None:
        for name, field in self._fields.items():
            if name.startswith("."):
                continue  # the idiom for templates: `.base: &base {…}`
            key = self.table.key(name)
            if key is None:
                self._unknown(name, field)
            elif key.treatment == "refused" and not field.is_null():
                field.wrong_name("not-supported", f"`{name}` cannot be honoured: {key.about}", key.hint)
            elif key.treatment == "warned" and not is_empty(field.node):
                field.warn_name("not-honoured", f"`{name}` has no effect here: {key.about}", key.hint)
            elif key.treatment == "once" and not is_empty(field.node):
                at, what = field.name or field.node, f"`{name}` is not enforced here: {key.about}"
                self.findings.warn_once("not-honoured", at, what, key.hint, key=field.key)

    def _unknown(self, name: str, field: Field) -> None:
        name_node = field.name or field.node
        noun = self.table.noun or f"`{self.table.name}`"
        near = nearest(name, [allowed for allowed in self.table.names() if not self.given(allowed)])
        if name in self.table.elsewhere:
            self.findings.strict(
                "unknown-key",
                name_node,
                f"{noun} has no key `{shown(name)}`",
                self.table.elsewhere[name],
                key=field.key,
            )
            return
        allowed = f"{noun} has {listed(self.table.names(), 'and')}" if self.table.names() else f"{noun} has no keys"
        hint = f"did you mean `{near}`?" if near else allowed
        self.findings.strict("unknown-key", name_node, f"{noun} has no key `{shown(name)}`", hint, key=field.key)
