"""A YAML document as nodes that remember where they stand. Values only.

An alias is the very node that its anchor names, so a place is always where the text really is; the loader has bounded
what the aliases unfold to. Merge keys are applied already, and keys are text as written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from deployd.project.model.json import Json
from deployd.project.model.place import Place

Plain = None | bool | int | float | str


@dataclass(slots=True, eq=False)
class Node:
    """What every node has. Lines and columns count from 1; `length` is what a caret would underline."""

    file: str
    line: int
    column: int
    length: int

    kind: ClassVar[str] = "value"

    @property
    def place(self) -> Place:
        return Place(self.file, self.line, self.column)

    def json(self) -> Json:
        """The value as JSON has it; dates stay text, versions keep their zero only as text."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class ScalarNode(Node):
    text: str = ""
    """As written, quotes and escapes resolved."""
    value: Plain = None
    """By the rules of YAML 1.1: `Off` is false."""
    plain: bool = True
    """Written without quotes."""
    included: str = ""
    """The file that the text was read from, when it is not written here."""

    @property
    def kind(self) -> str:  # type: ignore[override]
        match self.value:
            case None:
                return "nothing"
            case bool():
                return "a boolean"
            case int():
                return "an integer"
            case float():
                return "a number"
            case _:
                return "a string"

    def json(self) -> Json:
        return self.value


@dataclass(slots=True, eq=False)
class ListNode(Node):
    items: list[Node] = field(default_factory=list)

    kind: ClassVar[str] = "a list"

    def json(self) -> Json:
        return [item.json() for item in self.items]


@dataclass(slots=True, eq=False)
class Entry:
    key: ScalarNode
    value: Node


@dataclass(slots=True, eq=False)
class MapNode(Node):
    entries: list[Entry] = field(default_factory=list)

    kind: ClassVar[str] = "a mapping"

    def get(self, name: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key.text == name), None)

    def json(self) -> Json:
        return {entry.key.text: entry.value.json() for entry in self.entries}


@dataclass(slots=True, eq=False)
class TagNode(Node):
    """`!include` or `!archive`, not resolved yet."""

    tag: str = ""
    inner: Node = field(default_factory=lambda: ScalarNode("", 0, 0, 1))

    kind: ClassVar[str] = "an include"

    def json(self) -> Json:
        return None


def is_null(node: Node) -> bool:
    """Whether a node says nothing: null means "not given" everywhere (configuration format 2)."""
    return isinstance(node, ScalarNode) and node.value is None


def is_empty(node: Node) -> bool:
    """Whether a node says nothing, or is a list or mapping of nothing."""
    match node:
        case ListNode():
            return not node.items
        case MapNode():
            return not node.entries
        case _:
            return is_null(node)
