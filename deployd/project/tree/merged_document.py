"""The one document that all YAML files of a folder are parts of, as Upsun reads `.upsun/*.yaml`. Pure.

Only the three keys at the top are merged, each by the names below it. Of a name that two files have, the manual says
that the second one counts, and nowhere which of two files is the second; the vendor's own validator refuses it, and so
does this.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deployd.project.fields.fields import Field, under
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.dialect import Dialect
from deployd.project.tree.files import Files
from deployd.project.tree.includes import Includes
from deployd.project.yaml.nodes import Entry, MapNode, ScalarNode, is_null

_OF_AN_APPLICATION = "put it below the application's name: `applications: {app: {…}}`"
DOCUMENT = Table(
    ".upsun/*.yaml",
    (
        Key("applications", "mapping", "{name: application}", "required"),
        Key("services", "mapping", "{name: service}, as in `services.yaml` of the other spellings", "`{}`"),
        Key("routes", "mapping", "{URL: route}, as in `routes.yaml`", "one application: `https://{default}/`"),
    ),
    noun="the file",
    elsewhere={
        **dict.fromkeys(("name", "type", "web", "hooks", "mounts", "relationships", "crons"), _OF_AN_APPLICATION),
        **dict.fromkeys(("build", "dependencies", "runtime", "source", "variables", "workers"), _OF_AN_APPLICATION),
    },
)


@dataclass(slots=True)
class Merged:
    """The parts of the document; None where no file has it."""

    parts: dict[str, MapNode] = field(default_factory=dict)
    complete: bool = True
    """Whether every file could be read."""
    names: dict[tuple[str, str], ScalarNode] = field(default_factory=dict)
    """{(part, name): where it stands}"""

    def get(self, part: str) -> MapNode | None:
        return self.parts.get(part)


def read_merged(files: Files, dialect: Dialect, includes: Includes) -> Merged:
    """All files of the folder as one document; what includes stand for is resolved no further than the names."""
    merged = Merged()
    for path in files.merged_files(dialect):
        document = files.document(path)
        document = document and includes.document_of(document, (dialect.folder, ""))
        if document is None:
            merged.complete = False
        elif isinstance(document, MapNode):
            _take(document, merged, files, dialect, includes)
        elif not is_null(document):
            merged.complete = False
            Field(document, "", files.findings).wrong(
                "wrong-type", f"the file must hold a mapping, this is {document.kind}", "begin with `applications:`"
            )
    return merged


def _take(document: MapNode, merged: Merged, files: Files, dialect: Dialect, includes: Includes) -> None:
    fields = Field(document, "", files.findings).fields(DOCUMENT)
    assert fields is not None
    if any(entry.key.text in DOCUMENT.elsewhere for entry in document.entries):
        merged.complete = False   # said already: what looks like an application stands in the wrong place
    for key in DOCUMENT.keys:
        part = fields.get(key.name)
        if part is None:   # absent or null
            continue
        node = includes.document_of(part.node, (dialect.folder, ""))
        if not isinstance(node, MapNode) and not is_null(node):
            merged.complete = False
        entries = [] if is_null(node) else Field(node, key.name, files.findings, part.name).entries()
        whole = merged.parts.setdefault(key.name, MapNode(node.file, node.line, node.column, node.length))
        for name, entry in entries:
            assert entry.name is not None
            known = merged.names.setdefault((key.name, name), entry.name)
            if known is entry.name:
                whole.entries.append(Entry(entry.name, entry.node))
                continue
            Field(entry.name, under(key.name, name), files.findings).wrong(
                "two-definitions",
                f"`{shown(name)}` stands in two files below `{key.name}`, and nothing of the two is merged",
                "keep one of the two",
                related=(known.place,),
            )

