"""Folders, files and paths that `web` names: `root`, `passthru`, `index` (configuration format 4.8). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field
from deployd.project.findings.spelling import shown
from deployd.project.tree.tree import inside
from deployd.project.yaml.nodes import ScalarNode

UNSAFE = re.compile(r"[\x00-\x1f\x7f{};\"'\\]")  # would end or begin something in the web server's configuration
LONGEST_PATH = 1_000  # bytes; with what is put around it, a word of nginx


def check_length(field: Field, path: str, *, of_key: bool = False) -> None:
    if len(path.encode()) > LONGEST_PATH:
        say = field.wrong_name if of_key else field.wrong
        say(
            "path-too-long", f"`{shown(path)}` has {len(path.encode()):,} bytes, at most {LONGEST_PATH:,} are allowed",
            "write a shorter path",
        )


def read_root(field: Field | None, *, absolute: bool = False) -> str | None:
    """Folder of static files; one that leads out is wrong.

    Args:
        absolute: A slash in front means nothing (old keys).
    """
    text = field.text() if field else None
    if field is None or text is None:
        return None
    if text.startswith("/") and text.strip("/") and not absolute:
        field.wrong(
            "absolute-path",
            f"`{shown(text)}` is an absolute path, a root is a folder of the application",
            f"write `{text.strip('/').removeprefix('app/')}`",
        )
        return None
    path = inside(text)
    if path is not None and (UNSAFE.search(path) or "$" in path):
        field.wrong(
            "bad-path", f"`{shown(text)}` is not the path of a folder", "use letters, digits and `/`, `-`, `_`, `.`"
        )
    if path is None:
        field.wrong("outside-application", f"`{shown(text)}` leads out of the application", "write a path without `..`")
    else:
        check_length(field, path)
    return path


def read_passthru(field: Field | None) -> bool | str | None:
    if field is None:
        return None
    value = field.node.value if isinstance(field.node, ScalarNode) else None
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        field.wrong(
            "wrong-type",
            "`passthru` must be true, false or a path",
            "write `true`, `false` or a path like `/index.php`",
        )
        return None
    if value.lower() in ("true", "false"):
        field.wrong("wrong-type", f'`passthru` is the text "{value}" here', f"remove the quotes: {value.lower()}")
        return None
    if not value.startswith("/"):
        field.wrong(
            "slash-missing",
            f"the path `{shown(value)}` of `passthru` does not begin with a slash",
            f'write "/{shown(value)}"',
        )
        return None
    if UNSAFE.search(value) or " " in value:
        field.wrong("bad-path", f"`{shown(value)}` is not a path", "write a path like `/index.php`")
        return None
    check_length(field, value)
    return value


def read_index(field: Field) -> tuple[str, ...]:
    """Names of files that stand for their folder."""
    names = []
    for item in field.items():
        name = item.text()
        if name is None:
            continue
        if not name or "/" in name.strip("/") or UNSAFE.search(name) or re.search(r"[\s$]", name):
            item.wrong("bad-path", f"`{shown(name)}` is not the name of a file", "write a name like `index.html`")
            continue
        check_length(item, name)
        names.append(name)
    return tuple(names)
