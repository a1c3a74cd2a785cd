"""Which applications a commit has: app files, and `applications.yaml` (configuration format 3). Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from deployd.project.fields.fields import Field
from deployd.project.model.dialect import Dialect
from deployd.project.model.place import Place
from deployd.project.tree.files import MOST_APPLICATIONS, Files
from deployd.project.tree.includes import Includes
from deployd.project.tree.tree import inside
from deployd.project.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode, TagNode, is_null


def find_applications(files: Files, dialect: Dialect, includes: Includes) -> tuple[list[Definition], bool]:
    """Every definition, tags resolved, and whether every file could be read."""
    found: list[Definition] = []
    complete = True
    paths = sorted(files.app_files(dialect), key=lambda path: (path.count("/"), path))
    if len(paths) > MOST_APPLICATIONS:
        files.findings.error(
            "too-many-applications",
            Place(paths[MOST_APPLICATIONS]),
            f"there are {len(paths):,} app files, at most {MOST_APPLICATIONS} are read",
            "remove those that are not deployed",
        )
        paths, complete = paths[:MOST_APPLICATIONS], False
    for path in paths:
        document = files.document(path)
        if document is None:
            complete = False
            continue
        folder = posixpath.dirname(path)
        part = _Part(document, f"in {folder or 'the root folder'}", folder)
        definition = _definition(part, (folder,), includes, files)
        if definition is None:
            complete = False
        else:
            found.append(definition)
    listed_path = files.folder_file(dialect, "applications.yaml")
    if listed_path is not None:
        document = files.document(listed_path)
        if document is None:
            return found, False
        listed, sound = listed_applications(document, (dialect.folder, ""), includes, files)
        return [*found, *listed], complete and sound
    return found, complete


def listed_applications(
    document: Node, bases: tuple[str, ...], includes: Includes, files: Files,
) -> tuple[list[Definition], bool]:
    """The definitions of a list or mapping of applications, and whether every one could be read.

    Args:
        bases: Folders below which includes are looked for, after the application's root when it names one.
    """
    found = list(_of_list(document, bases, includes, files))
    return [item for item in found if item is not None], None not in found


def _of_list(
    document: Node, bases: tuple[str, ...], includes: Includes, files: Files,
) -> Iterator[Definition | None]:
    document = includes.document_of(document, bases)
    if is_null(document):
        return
    entries: list[tuple[ScalarNode | None, Node]] = []
    match document:
        case ListNode():
            entries = [(None, item) for item in document.items]
        case MapNode():
            entries = [(entry.key, entry.value) for entry in document.entries if not entry.key.text.startswith(".")]
        case _:
            Field(document, "applications", files.findings).wrong(
                "wrong-type",
                f"applications.yaml must hold a list or a mapping of applications, this is {document.kind}",
                "begin each application with `- name: …`",
            )
            yield None
    if len(entries) > MOST_APPLICATIONS:
        files.findings.error(
            "too-many-applications",
            document,
            f"there are {len(entries):,} applications, at most {MOST_APPLICATIONS} are read",
            "use fewer",
        )
        entries = []
        yield None
    for number, (key, node) in enumerate(entries):
        yield _definition(_Part(node, f"number {number + 1}", key=key), bases, includes, files)


@dataclass(frozen=True, slots=True)
class _Part:
    """Where an application is written: an app file, or an entry of `applications.yaml`."""

    node: Node
    label: str
    folder: str = ""
    key: ScalarNode | None = None


def _definition(part: _Part, bases: tuple[str, ...], includes: Includes, files: Files) -> Definition | None:
    node = includes.document_of(part.node, bases)
    bases = tuple(dict.fromkeys((*bases, posixpath.dirname(node.file))))
    node = _with_source_resolved(node, bases, includes)
    root = _source_root(node)
    resolved = includes.resolve(node, bases if root is None else (root, *bases))
    if not isinstance(resolved, MapNode):
        path = f"applications.{part.key.text}" if part.key is not None else f"applications[{part.label}]"
        what = "the file is empty" if is_null(resolved) else f"this is {resolved.kind}"
        Field(resolved, path, files.findings).wrong(
            "wrong-type", f"an application is a mapping of keys, {what}", "begin with `name:` and `type:`"
        )
        return None
    return Definition(resolved, part.folder, part.key or _written_name(resolved), part.label)


def _written_name(application: MapNode) -> ScalarNode | None:
    entry = application.get("name")
    return entry.value if entry and isinstance(entry.value, ScalarNode) and not is_null(entry.value) else None


def _with_source_resolved(node: Node, bases: tuple[str, ...], includes: Includes) -> Node:
    """`source` may be an `!include` itself, and decides where everything else is looked for."""
    if isinstance(node, MapNode):
        entry = node.get("source")
        if entry is not None and isinstance(entry.value, TagNode):
            source = includes.resolve(entry.value, bases)
            entries = [Entry(item.key, source) if item is entry else item for item in node.entries]
            return MapNode(node.file, node.line, node.column, node.length, entries)
    return node


def _source_root(node: Node) -> str | None:
    source = node.get("source") if isinstance(node, MapNode) else None
    root = source.value.get("root") if source is not None and isinstance(source.value, MapNode) else None
    if root is None or not isinstance(root.value, ScalarNode) or is_null(root.value):
        return None
    return inside(root.value.text)


@dataclass(frozen=True, slots=True)
class Definition:
    """An application that was found and not read yet."""

    node: MapNode
    default_root: str
    """Folder of the app file; "" for `applications.yaml`."""
    name: ScalarNode | None
    """Where the name stands: the value of `name`, or the key in `applications.yaml`."""
    label: str
    """How findings call it before its name is known."""

    @property
    def written_name(self) -> str | None:
        return self.name.text if self.name is not None else None
