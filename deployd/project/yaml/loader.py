"""Text of a YAML file to nodes with places, in bounded time and memory. Pure.

It works from the parser's events, not from PyYAML's constructors: no Python object is ever built from a tag, nesting
costs no recursion, and an alias costs nothing but is counted with all that it unfolds to. A file with an error gives
None, and the error stands in the findings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from deployd.project.findings.findings import Findings
from deployd.project.findings.spelling import shown
from deployd.project.model.place import Place
from deployd.project.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode, TagNode
from deployd.project.yaml.problems import code_of, explain_problem
from deployd.project.yaml.scalars import plain_value

DEEPEST = 40  # levels; the format itself needs nine
MOST_NODES = 300_000  # aliases unfolded; 50,000 redirects, the most that are allowed, have 200,000
_CORE = "tag:yaml.org,2002:"
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Refused(Exception):
    """The file cannot be read further; the finding is written."""


def load_yaml(text: str, file: str, findings: Findings) -> Node | None:
    """The document, or None when it has an error. An empty file is a null scalar."""
    findings.lines[file] = text.splitlines()
    composer = _Composer(file, findings)
    try:
        composer.read(text)
    except _Refused:
        return None
    except yaml.YAMLError as error:
        place, what, hint = explain_problem(error, file, findings.lines[file])
        findings.error(code_of(error), place, what, hint)
        return None
    return None if composer.failed else composer.root or ScalarNode(file, 1, 1, 1)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    node: ListNode | MapNode
    tag: str | None
    anchor: str | None
    weight: int = 1
    key: ScalarNode | None = None
    merges: list[Node] = field(default_factory=list)
    keys: dict[str, ScalarNode] = field(default_factory=dict)


class _Composer:
    """Nodes from events, with a stack of its own in place of recursion."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings
        self.root: Node | None = None
        self.failed = False
        self.nodes = 0
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}

    def read(self, text: str) -> None:
        documents = 0
        for event in yaml.parse(text, Loader=_PARSER):
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._start(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._end()
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        self._refuse(
                            "several-documents",
                            event,
                            "a second YAML document begins here",
                            "remove the line `---`; one file holds one document",
                        )

    def _scalar(self, event: Any) -> None:
        length = event.end_mark.column - event.start_mark.column
        if event.end_mark.line != event.start_mark.line or length < 1:
            length = 1
        if "\0" in event.value:   # no variable, argument, path or line of a configuration can hold it
            what = "this holds a zero byte (`\\0`), and nothing can be started with it"
            self._refuse("not-text", event, what, "remove it")
        plain = event.style in (None, "")
        node = ScalarNode(
            self.file,
            event.start_mark.line + 1,
            event.start_mark.column + 1,
            length,
            event.value,
            plain_value(event.value) if plain and event.tag is None else event.value,
            plain,
        )
        tagged: Node = node
        if event.tag is not None:
            tagged = self._with_tag(node, event.tag)
        if event.anchor:
            self.anchors[event.anchor] = (tagged, 1)
        self._place(tagged, 1)

    def _start(self, event: Any) -> None:
        if len(self.stack) >= DEEPEST:
            self._refuse("too-deep", event, f"this is nested more than {DEEPEST} levels deep", "make it flatter")
        kind = MapNode if isinstance(event, yaml.MappingStartEvent) else ListNode
        node: ListNode | MapNode = kind(self.file, event.start_mark.line + 1, event.start_mark.column + 1, 1)
        self.stack.append(_Open(node, event.tag, event.anchor))
        if event.anchor:
            self.anchors.pop(event.anchor, None)  # until its end, the name leads back into itself

    def _end(self) -> None:
        done = self.stack.pop()
        if done.merges and isinstance(done.node, MapNode):
            done.weight += self._merge(done.node, done.merges, set(done.keys))
        node: Node = done.node
        if done.tag is not None:
            node = self._with_tag(node, done.tag)
        if done.anchor:
            self.anchors[done.anchor] = (node, done.weight)
        self._place(node, done.weight)

    def _alias(self, event: Any) -> None:
        if any(item.anchor == event.anchor for item in self.stack):
            self._refuse(
                "alias-cycle",
                event,
                f"the alias `*{event.anchor}` stands inside what it names, so it has no end",
                "write out what is meant, or move the anchor",
            )
        if event.anchor not in self.anchors:
            self._refuse(
                "unknown-alias",
                event,
                f"there is no anchor `&{event.anchor}` above this line",
                f"define it with `&{event.anchor}` first",
            )
        node, weight = self.anchors[event.anchor]
        self._place(node, weight)

    def _place(self, node: Node, weight: int) -> None:
        """Put a finished node where it belongs: into the list or mapping that is open, or at the root."""
        self.nodes += 1
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.weight += weight
        if max(top.weight, self.nodes) > MOST_NODES:
            self._refuse(
                "too-much",
                node,
                f"this unfolds to more than {MOST_NODES:,} values",
                "use fewer aliases, or fewer entries",
            )
        if isinstance(top.node, ListNode):
            top.node.items.append(node)
        elif top.key is None:
            top.key = self._key(node)
        else:
            self._entry(top, top.key, node)
            top.key = None

    def _key(self, node: Node) -> ScalarNode:
        if isinstance(node, ScalarNode):
            return node
        self._refuse(
            "key-not-text",
            node,
            f"a key must be a single word, this one is {node.kind}",
            "did you mean to put quotes around it? `{` and `[` begin a mapping or a list",
        )
        raise AssertionError

    def _entry(self, top: _Open, key: ScalarNode, value: Node) -> None:
        assert isinstance(top.node, MapNode)
        if key.text == "<<" and key.plain:
            top.merges.extend(value.items if isinstance(value, ListNode) else [value])
        elif key.text in top.keys:
            first = top.keys[key.text]
            self.findings.error(
                "duplicate-key",
                key,
                f"the key `{shown(key.text)}` is here twice, first in line {first.line}",
                "keep one of the two; only one could count",
                related=(first.place,),
            )
            self.failed = True
        else:
            top.keys[key.text] = key
            top.node.entries.append(Entry(key, value))

    def _merge(self, node: MapNode, merges: list[Node], present: set[str]) -> int:
        """Add what `<<` brings and the mapping does not say itself; its own entries stay first."""
        added = 0
        for source in merges:
            if not isinstance(source, MapNode):
                self._refuse(
                    "merge-not-mapping",
                    source,
                    f"`<<` merges mappings, this is {source.kind}",
                    "name a mapping with an anchor",
                )
                continue
            for entry in source.entries:
                if entry.key.text not in present:
                    present.add(entry.key.text)
                    node.entries.append(entry)
                    added += 1
        return added

    def _with_tag(self, node: Node, tag: str) -> Node:
        if tag in ("!include", "!archive"):
            return TagNode(self.file, node.line, node.column, node.length, tag, node)
        if isinstance(node, ScalarNode) and tag in ("!", f"{_CORE}str"):
            node.value, node.plain = node.text, False
            return node
        if isinstance(node, ScalarNode) and tag in (f"{_CORE}int", f"{_CORE}bool", f"{_CORE}float", f"{_CORE}null"):
            node.value = plain_value(node.text)
            return node
        if (tag == f"{_CORE}map" and isinstance(node, MapNode)) or (
            tag == f"{_CORE}seq" and isinstance(node, ListNode)
        ):
            return node
        name = tag.replace(_CORE, "!!")
        self.findings.error(
            "unknown-tag",
            node,
            f"the tag `{shown(name)}` is not one that configuration files may use",
            "use `!include` or `!archive`, or remove the tag",
        )
        self.failed = True
        return node

    def _refuse(self, code: str, at: Any, what: str, hint: str) -> None:
        place = at.place if isinstance(at, Node) else Place(self.file, at.start_mark.line + 1, at.start_mark.column + 1)
        length = at.length if isinstance(at, Node) else max(1, at.end_mark.column - at.start_mark.column)
        self.findings.error(code, place, what, hint, length=length)
        raise _Refused
