"""`!include` and `!archive`: what they name is read from the commit and takes the tag's place. Pure.

A path is looked for below each base in turn and never leaves the repository, nor passes a symbolic link. The nodes that
come in are bounded by number and by what they unfold to. (Configuration format 2.)
"""

from __future__ import annotations

import base64
import io
import posixpath
import tarfile
from dataclasses import dataclass, field

from deployd.project.fields.fields import Field
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.findings import Findings
from deployd.project.findings.spelling import listed, shown
from deployd.project.tree.files import Files
from deployd.project.yaml.decoding import LARGEST_FILE, decode
from deployd.project.yaml.loader import MOST_NODES, load_yaml
from deployd.project.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode, TagNode

MOST_INCLUDES = 200
DEEPEST_INCLUDE = 8
LARGEST_ARCHIVE = 8 << 20  # bytes, unpacked
MOST_BYTES = 32 << 20  # in all includes of a project
ADVISED_ARCHIVE = 2 << 20  # the hosted platforms' advice: configuration format 5.4
INCLUDE = Table(
    "!include",
    (
        Key("type", "`string`, `binary`, `yaml` or `archive`", "how the file becomes a value", "`yaml`"),
        Key("path", "path of a file", "looked for in the application's root, then beside the file that includes it"),
    ),
    noun="an `!include`",
)
TYPES = ("string", "binary", "yaml", "archive")


@dataclass(slots=True)
class Includes:
    """Resolves the tags of one project."""

    files: Files
    findings: Findings
    count: int = 0
    taken_bytes: int = 0
    _memo: dict[int, tuple[Node, Node]] = field(default_factory=dict)
    """{id: (node, what it became)}; the node is kept alive, as ids are given out again."""
    _weights: dict[int, int] = field(default_factory=dict)

    def resolve(self, node: Node, bases: tuple[str, ...]) -> Node:
        """The node without tags; what could not be included is null, and found.

        Args:
            bases: Folders below which paths are looked for, in order; "" is the repository's root.
        """
        self._memo, self._weights = {}, {}
        resolved = self._resolve(node, bases, ())
        if self._weight(resolved) > MOST_NODES:
            self.findings.error(
                "too-much",
                node,
                f"with its includes this unfolds to more than {MOST_NODES:,} values",
                "include fewer files, or use fewer aliases",
            )
            return _nothing(node)
        return resolved

    def document_of(self, node: Node, bases: tuple[str, ...]) -> Node:
        """The document that an `!include` stands for, its own tags unresolved; any other node as it is.

        What the document says may decide where its own tags are looked for.
        """
        chain: tuple[str, ...] = ()
        while isinstance(node, TagNode):
            node = self._include(node, bases, chain, whole=False)
            chain = (*chain, node.file)
        return node

    def _resolve(self, node: Node, bases: tuple[str, ...], chain: tuple[str, ...]) -> Node:
        known = self._memo.get(id(node))
        if known is not None:
            return known[1]
        result: Node = node
        match node:
            case TagNode():
                result = self._include(node, bases, chain)
            case ListNode():
                items = [self._resolve(item, bases, chain) for item in node.items]
                if any(new is not old for new, old in zip(items, node.items, strict=True)):
                    result = ListNode(node.file, node.line, node.column, node.length, items)
            case MapNode():
                values = [self._resolve(entry.value, bases, chain) for entry in node.entries]
                if any(new is not entry.value for new, entry in zip(values, node.entries, strict=True)):
                    entries = [Entry(entry.key, value) for entry, value in zip(node.entries, values, strict=True)]
                    result = MapNode(node.file, node.line, node.column, node.length, entries)
        self._memo[id(node)] = (node, result)
        return result

    def _include(self, node: TagNode, bases: tuple[str, ...], chain: tuple[str, ...], *, whole: bool = True) -> Node:
        self.count += 1
        if self.count > MOST_INCLUDES:
            self.findings.error(
                "too-many-includes", node, f"more than {MOST_INCLUDES} files are included", "include fewer"
            )
            return _nothing(node)
        kind, written = self._what(node)
        if kind is None or written is None:
            return _nothing(node)
        path = self._find(node, written, bases, folder=kind == "archive")
        if path is None:
            return _nothing(node)
        if kind == "archive":
            return _text_node(node, self._archive(node, path))
        data = self.files.bytes_of(path) or b""
        if not self._fits(node, len(data)):
            return _nothing(node)
        if kind == "binary":
            if len(data) > LARGEST_ARCHIVE:
                self._too_large(node, path, LARGEST_ARCHIVE)
                return _nothing(node)
            return _text_node(node, base64.b64encode(data).decode())
        if kind == "string":
            if len(data) > LARGEST_FILE:
                self._too_large(node, path, LARGEST_FILE)
                return _nothing(node)
            text = decode(data, path, self.findings)
            return _nothing(node) if text is None else _text_node(node, text, path)
        document = self._load(node, path, data, chain)
        return self._resolve(document, (*bases, posixpath.dirname(path)), (*chain, path)) if whole else document

    def _fits(self, node: TagNode, size: int) -> bool:
        """Count what is taken in, and whether it is still within the bound."""
        self.taken_bytes += size
        if self.taken_bytes <= MOST_BYTES:
            return True
        self.findings.error(
            "file-too-large", node, f"with this, more than {MOST_BYTES:,} bytes are included", "include less"
        )
        return False

    def _what(self, node: TagNode) -> tuple[str | None, str | None]:
        """Type and path of an include in either form."""
        if isinstance(node.inner, ScalarNode):
            kind = "archive" if node.tag == "!archive" else "yaml"
            if node.inner.text:
                return kind, node.inner.text
            self.findings.error(
                "missing-key", node, f"`{node.tag}` needs a path", f"write `{node.tag} path/of/the/file`"
            )
            return None, None
        fields = Field(node.inner, node.tag, self.findings).fields(INCLUDE)
        if fields is None:
            return None, None
        kind_field, path_field = fields.get("type"), fields.require("path")
        given = kind_field.one_of(TYPES) if kind_field else ("archive" if node.tag == "!archive" else "yaml")
        return given, path_field.text() if path_field else None

    def _find(self, node: TagNode, written: str, bases: tuple[str, ...], folder: bool) -> str | None:
        tried = []
        outside = False
        for base in dict.fromkeys((*bases,)):
            path = posixpath.normpath(posixpath.join(base, written)) if not written.startswith("/") else ".."
            if path == ".." or path.startswith("../") or "\0" in path:
                outside = True
                continue
            path = "" if path == "." else path
            tried.append(path or ".")
            link = self.files.link_in(path) if path else None
            if link:
                self.findings.error(
                    "symbolic-link",
                    node,
                    f"`{shown(link)}` is a symbolic link, and links are not followed",
                    "include the file that it leads to",
                )
                return None
            if self.files.tree.is_folder(path) if folder else self.files.bytes_of(path) is not None:
                return path
        if outside and not tried:
            self.findings.error(
                "outside-repository",
                node,
                f"`{shown(written)}` leads out of the repository",
                "include files of the repository only, by a path relative to the application",
            )
        else:
            noun = "folder" if folder else "file"
            self.findings.error(
                "no-such-file",
                node,
                f"there is no {noun} `{shown(written)}` to include",
                f"commit it, or correct the path: looked for {listed([shown(path) for path in tried], 'and')}",
            )
        return None

    def _load(self, node: TagNode, path: str, data: bytes, chain: tuple[str, ...]) -> Node:
        if path in chain or path == node.file:
            what, hint = f"`{shown(path)}` includes itself", "remove this `!include`, or name another file"
            self.findings.error("include-cycle", node, what, hint)
            return _nothing(node)
        if len(chain) >= DEEPEST_INCLUDE:
            self.findings.error(
                "too-deep", node, f"includes are nested more than {DEEPEST_INCLUDE} deep", "make it flatter"
            )
            return _nothing(node)
        text = decode(data, path, self.findings)
        document = None if text is None else load_yaml(text, path, self.findings)
        return _nothing(node) if document is None else document

    def _archive(self, node: TagNode, folder: str) -> str:
        """The folder as a tar archive in base64, equal bytes for equal files."""
        prefix = f"{folder}/" if folder else ""
        buffer, total = io.BytesIO(), 0
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(path for path in self.files.tree.paths() if path.startswith(prefix)):
                data = self.files.bytes_of(path)
                if data is None:
                    self.findings.error(
                        "symbolic-link",
                        node,
                        f"the folder holds the symbolic link `{shown(path)}`",
                        "archives hold files only: commit the file itself",
                    )
                    continue
                total += len(data)
                if total > LARGEST_ARCHIVE:
                    self._too_large(node, folder, LARGEST_ARCHIVE)
                    return ""
                member = tarfile.TarInfo(path.removeprefix(prefix))
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        if not self._fits(node, total):
            return ""
        if total > ADVISED_ARCHIVE:
            self.findings.warn(
                "large-archive",
                node,
                f"the folder `{shown(folder)}` has {total:,} bytes",
                "keep archives below 2 MB, so that the file works on the hosted platforms too",
            )
        return base64.b64encode(buffer.getvalue()).decode()

    def _too_large(self, node: TagNode, path: str, limit: int) -> None:
        self.findings.error("file-too-large", node, f"`{shown(path)}` is larger than {limit:,} bytes", "include less")

    def _weight(self, node: Node) -> int:
        known = self._weights.get(id(node))
        if known is not None:
            return known
        weight = 1
        if isinstance(node, ListNode):
            weight += sum(self._weight(item) for item in node.items)
        elif isinstance(node, MapNode):
            weight += sum(1 + self._weight(entry.value) for entry in node.entries)
        self._weights[id(node)] = weight
        return weight


def _nothing(node: Node) -> ScalarNode:
    return ScalarNode(node.file, node.line, node.column, node.length)


def _text_node(node: Node, text: str, path: str = "") -> ScalarNode:
    return ScalarNode(node.file, node.line, node.column, node.length, text, text, False, path)
