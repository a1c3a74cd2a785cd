"""`variables` of an application: by prefix, and which of them programs will not find as they are written. Pure.

(Configuration format 7.1 and 7.3.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployd.project.fields.fields import Field
from deployd.project.findings.spelling import shown
from deployd.project.model.dialect import VARIABLE_PREFIXES
from deployd.project.model.json import Json
from deployd.project.offered.runtimes import INI_PREFIXES, runtime_type
from deployd.project.yaml.nodes import MapNode, Node, ScalarNode

INI_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
"""What dash, which starts everything, passes on: other names are gone without a word."""
NULL = "is null, and programs find the text `null`"
OWN_PLATFORM_NAMES = frozenset({
    "APPLICATION", "APPLICATION_NAME", "APP_COMMAND", "APP_DIR", "BRANCH", "CACHE_DIR", "DOCUMENT_ROOT", "ENVIRONMENT",
    "ENVIRONMENT_TYPE", "OUTPUT_DIR", "POST_APP_COMMAND", "PRE_APP_COMMAND", "PROJECT", "PROJECT_ENTROPY",
    "RELATIONSHIPS", "ROUTES", "SMTP_HOST", "TREE_ID", "VARIABLES", "VENDOR",
})
"""What follows the dialect's prefix in the variables that deployd makes itself, in a build or at run time."""
OWN_NAMES = frozenset({"PATH", "PYTHONUSERBASE", "PHP_INI_SCAN_DIR"})


def overwritten(name: str, *, unix: bool | None) -> str | None:
    """Why a variable of this name does not reach programs, as the end of a sentence; None: it does.

    Args:
        unix: Whether the application listens on a Unix socket; None: nobody knows.
    """
    prefix = next((item for item in VARIABLE_PREFIXES if name.startswith(item)), "")
    if name in OWN_NAMES or (prefix and name.removeprefix(prefix) in OWN_PLATFORM_NAMES):
        return "is overwritten: deployd sets it itself"
    if name == "PORT" and not unix:
        return f"is overwritten: deployd says {'there ' if unix is False else ''}where to listen on TCP"
    if name == "SOCKET" and unix is not False:
        return "is overwritten: deployd says where to listen on a Unix socket"
    return None


def read_variables(field: Field | None, application: MapNode) -> Mapping[str, Mapping[str, Json]]:
    """{prefix: {name: value}}"""
    if field is None:
        return {}
    found: dict[str, dict[str, Json]] = {}
    for prefix, names in field.entries(dots="write the prefix without the dot"):
        if names.is_null():
            continue
        if isinstance(names.node, ScalarNode):
            names.wrong(
                "prefix-missing",
                f"`{shown(prefix)}` stands where the prefix of variables is expected",
                f"put it below a prefix: `env: {{{shown(prefix)}: …}}` makes an environment variable",
            )
            continue
        found[prefix] = {}
        for name, value in names.entries(dots="write the name without the dot"):
            if prefix == "env" and not VARIABLE_NAME.fullmatch(name):
                value.wrong_name(
                    "bad-name",
                    f"`{shown(name)}` cannot be the name of an environment variable",
                    "use letters, digits and `_`, not beginning with a digit",
                )
                continue
            if prefix in INI_PREFIXES and not INI_NAME.fullmatch(name):
                what = f"`{shown(name)}` cannot be the name of a setting of {runtime_type(prefix).title}"
                value.wrong_name("bad-name", what, "write one like `memory_limit`")
                continue
            if prefix == "env":
                _warn(name, value, application)
            found[prefix][name] = value.json()
    return found


def _warn(name: str, value: Field, application: MapNode) -> None:
    if value.is_null():
        value.warn_name("null-variable", f"`{shown(name)}` {NULL}", 'write "" for an empty one, or remove it')
    if why := overwritten(name, unix=_text_at(application, "web", "upstream", "socket_family") == "unix"):
        value.warn_name("variable-overwritten", f"`{shown(name)}` {why}", "remove it, or use another name")


def _text_at(node: Node, *path: str) -> str | None:
    """A text deep in a mapping, whatever is wrong around it."""
    for name in path:
        entries = node.entries if isinstance(node, MapNode) else []
        found = next((entry.value for entry in entries if entry.key.text == name), None)
        if found is None:
            return None
        node = found
    return node.text if isinstance(node, ScalarNode) else None
