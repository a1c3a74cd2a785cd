"""`stack` of a composable image: one runtime alone is read as that `type`; what only Nix has is refused by name. Pure.

A hosted platform builds such an image from Nix packages. deployd has one image for each runtime, so that several of
them in one container, or packages beside them, cannot be had; a runtime alone is the same program in another wrapping.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.fields.types import read_type
from deployd.project.findings.spelling import listed, shown
from deployd.project.offered.runtimes import COMPOSABLE, EXAMPLE, VERSIONS
from deployd.project.yaml.nodes import ListNode, MapNode, ScalarNode

STACK = Table(
    "stack",
    (
        Key("runtimes", "list of `name@version`, or of it with its settings", "one, which is read as that `type`"),
        Key("packages", "list of names", "packages of Nix are **refused**", "`[]`"),
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
    if len(names) == 1 and not stack.packages:
        name, at, settings = stack.runtimes[0]
        text = name.replace("@", ":")
        node = ScalarNode(at.node.file, at.node.line, at.node.column, len(name), text, text)
        found = read_type(Field(node, at.key, at.findings), VERSIONS, "no-such-runtime", "runtime")
        return found and Kind(*found, settings, composed=True)
    what = (
        f"the packages {listed(map(shown, stack.packages), 'and')} are Nix's, which deployd does not have"
        if stack.packages
        else f"{listed(map(shown, names), 'and')} cannot be in one container" if names
        else "it names no runtime"
    )
    kept = names[0].replace("@", ":") if names else EXAMPLE
    field.wrong_name(
        "not-supported", f"`stack` cannot be honoured: {what}",
        f"keep one runtime, as in `type: {shown(kept)}`, and install the other tools under `dependencies` or in the"
        " build hook",
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
