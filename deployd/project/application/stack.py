"""`stack` of a composable image: its first runtime is read as the `type`, and the rest as what stands in for it. Pure.

A hosted platform builds such an image from Nix packages. deployd has one image for each runtime; what else a stack asks
for comes out of that image or by npm, pip and gem (`offered/nix.py`), and what comes from neither is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.fields.types import read_type
from deployd.project.findings.spelling import listed, shown
from deployd.project.model.application import Extension, Stack
from deployd.project.model.json import Json, nothing
from deployd.project.offered.nix import BESIDE, IN_THE_IMAGE, mapped
from deployd.project.offered.runtimes import COMPOSABLE, EXAMPLE, VERSIONS
from deployd.project.yaml.nodes import ListNode, MapNode, ScalarNode

VERSION = re.compile(r"[0-9]+(\.[0-9]+)?")

STACK = Table(
    "stack",
    (
        Key(
            "runtimes", "list of `name@version`, or of it with its settings",
            "the first is read as that `type`; beside it `nodejs`, `golang` and `bun`, and `php`, `python`, `ruby` and"
            " `perl` in the version that the image has; others are **refused**",
        ),
        Key(
            "packages", "list of names", "what the image has, or npm, pip or gem bring; others are **refused**", "`[]`",
        ),
    ),
    noun="`stack`",
)


@dataclass(slots=True)
class Asked:
    """What a stack asks for: (`name@version`, where, its settings)."""

    runtimes: list[tuple[str, Field, Field | None]] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kind:
    """Runtime and version of an application."""

    runtime: str
    version: str
    settings: Field | None = None
    """Of the runtime, where they stand in a stack."""
    composed: bool = False
    """It is a composable image."""
    stack: Stack | None = None
    """With what it asks for beside the runtime; None: nothing."""
    dependencies: Mapping[str, Mapping[str, Json]] = field(default_factory=nothing)
    """What a stack asks for beside the runtime: {language: {package: constraint}}"""
    extensions: tuple[Extension, ...] = ()


def read_kind(fields: Fields) -> Kind | None:
    """From `type`, or from the `stack` of a composable image; None with a finding."""
    stack = fields.get("stack")
    written = fields.get("type")
    if stack is not None and (written is None or written.raw.partition(":")[0] == COMPOSABLE):
        return _of_stack(stack)
    if stack is not None:
        stack.wrong_name(
            "not-together", f"`stack` has no meaning with the type `{shown(written.raw if written else '')}`",
            "remove `stack`, or write `type: composable:25.11`",
        )
        return None
    field = written or fields.require("type", f"say which runtime: `type: {EXAMPLE}`")
    if field is None:
        return None
    if field.raw.partition(":")[0] == COMPOSABLE:
        in_stack = EXAMPLE.replace(":", "@")
        hint = f'write which runtime: `stack: {{runtimes: ["{in_stack}"]}}`, or a `type` such as `{EXAMPLE}`'
        field.wrong("missing-key", "a composable image needs the key `stack`", hint)
        return None
    found = read_type(field, VERSIONS, "no-such-runtime", "runtime")
    return found and Kind(*found)


def _of_stack(field: Field) -> Kind | None:
    stack = _read(field)
    if stack is None:
        return None
    names = [name for name, _, _ in stack.runtimes]
    if not names:
        kept = EXAMPLE.replace(":", "@")
        field.wrong_name("not-supported", "`stack` cannot be honoured: it names no runtime",
                         f'name one: `stack: {{runtimes: ["{kept}"]}}`')
        return None
    name, at, settings = stack.runtimes[0]
    text = name.replace("@", ":")
    node = ScalarNode(at.node.file, at.node.line, at.node.column, len(name), text, text)
    found = read_type(Field(node, at.key, at.findings), VERSIONS, "no-such-runtime", "runtime")
    beside = _beside(field, stack)
    if found is None or beside is None:
        return None
    dependencies, extensions = beside
    more = Stack(tuple(names), tuple(stack.packages)) if names[1:] or stack.packages else None
    return Kind(*found, settings, True, more, dependencies, extensions)


def _beside(field: Field, stack: Asked) -> tuple[dict[str, dict[str, Json]], tuple[Extension, ...]] | None:
    """What stands in for all but the first runtime; None with a finding of what nothing stands in for."""
    dependencies: dict[str, dict[str, Json]] = {}
    extensions: list[Extension] = []
    without: list[str] = []
    for name, _, _ in stack.runtimes[1:]:
        runtime, _, version = name.partition("@")
        if runtime in BESIDE and VERSION.fullmatch(version):
            language, package, constraint = BESIDE[runtime]
            dependencies.setdefault(language, {})[package] = constraint.format(version)
        elif runtime not in IN_THE_IMAGE or not VERSION.fullmatch(version):
            without.append(name)
    for name in stack.packages:
        found = mapped(name)
        if found is None:
            without.append(name)
        elif found.extension:
            extensions.append(Extension(found.extension))
        elif found.language:
            dependencies.setdefault(found.language, {})[found.package] = "*"
    if not without:
        return dependencies, tuple(extensions)
    field.wrong_name(
        "not-supported",
        f"`stack` cannot be honoured: nothing stands in for {listed(map(shown, without), 'and')}, which is Nix's",
        "take it out, and install such tools under `dependencies` or in the build hook; an application of its own can"
        " have another runtime",
    )
    return None


def _read(field: Field) -> Asked | None:
    """The three forms: a mapping of `runtimes` and `packages`, a list of both, one text."""
    stack = Asked()
    if isinstance(field.node, ScalarNode):
        _take(field, stack, runtime=True)
    elif isinstance(field.node, ListNode):
        for item in field.items():
            _take(item, stack, runtime=None)
    else:
        fields = field.fields(STACK)
        if fields is None:
            return None
        for name in ("runtimes", "packages"):
            part = fields.get(name)
            for item in part.items() if part else ():
                _take(item, stack, runtime=name == "runtimes")
    return stack


def _take(item: Field, stack: Asked, runtime: bool | None) -> None:
    """
    Args:
        runtime: None: by its name, as an older stack has both in one list.
    """
    settings = None
    name = item.text() if isinstance(item.node, ScalarNode) else None
    if isinstance(item.node, MapNode) and item.node.entries:
        entry = item.node.entries[0]
        name = entry.key.text
        settings = Field(entry.value, f"{item.key}.{name}", item.findings, entry.key)
        if name == "package":
            name = entry.value.text if isinstance(entry.value, ScalarNode) else name
    if name is None:
        return
    if runtime or (runtime is None and ("@" in name or name in VERSIONS)):
        stack.runtimes.append((name, item, None if settings is None or settings.is_null() else settings))
    else:
        stack.packages.append(name)
