"""Which files decide what pip and uv install. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from deployd.project.application.hook_lines import PIP
from deployd.project.model.installs import Install

if TYPE_CHECKING:
    from deployd.project.application.installs import Manifests

MOST_FILES = 20
NAMED = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]*(?P<file>\S+)")
FROM_INDEX = re.compile(
    r"[A-Za-z0-9][\w.-]*(?:\s*\[[\w\s,.-]*\])?\s*(?:[<>=!~(][^@/]*|@\s*(?:git\+)?(?:https|ssh)://\S+)?(?:;.*)?"
    r"(?:\s--hash[ =]\S+)*"
    r"|(?:--index-url|--extra-index-url|-i|--no-binary|--only-binary|--trusted-host|--prefer-binary|--pre|--require-hashes)"
    r"(?:[ =].*)?",
)
"""Requirements and options that lead to no file of the project."""
UV_FILES = r"pyproject\.toml|uv\.lock|uv\.toml|\.python-version|\.venv(?:/.*)?"
"""With the Python of an environment that the repository brings, which is run."""
ARCHIVE = re.compile(r"[^\s\[;]+\.(?:whl|zip|tar|tgz|tbz|txz|tlz|gz|bz2|xz|lz|lzma)(?:[\s\[;].*)?", re.IGNORECASE)
"""A file in the application's root, when there is one of that name."""


MODULES = r"[^/]+\.(?:py|pyc|so)|[^/]+/__init__\.[^/]+|(?:[^/]+/)?__pycache__(?:/.*)?"
"""Of the application's root: `python3 -m pip` finds them before its own."""


def pip_itself(manifests: Manifests) -> Install:
    return Install("pip itself", inputs=MODULES)


def pip_install(manifests: Manifests, command: str) -> Install:
    """
    Args:
        command: Of a hook, with the file of requirements.
    """
    found = PIP.fullmatch(command)
    assert found is not None, command
    file = posixpath.normpath(found["file"])
    read: dict[str, None] = {}
    waiting = [file]
    while waiting:
        name = waiting.pop()
        if name in read:
            continue
        if len(read) >= MOST_FILES or name.startswith(("..", "/")):
            return Install("pip", why_not=f"{name[:100]} lies elsewhere, or is one of many")
        text = manifests.text(name)
        if text is None:
            return Install("pip", why_not=f"there is no {name[:100]}")
        read[name] = None
        for line in _lines(text):
            named = NAMED.fullmatch(line)
            if named:
                waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(name), named["file"])))
            elif not FROM_INDEX.fullmatch(line) or ARCHIVE.fullmatch(line):
                return Install("pip", why_not=f"`{line[:60]}` of {name} may lead to files of the project")
    return Install("pip", inputs="|".join((*(re.escape(name) for name in sorted(read)), MODULES)))


def _lines(text: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", text)
    plain = (re.sub(r"(?:^|\s)#.*", "", line).strip() for line in joined.splitlines())
    return [line for line in plain if line]


def uv_sync(manifests: Manifests) -> Install:
    manifest = manifests.text("pyproject.toml")
    if manifest is None or not manifests.has("uv.lock"):
        return Install("uv", why_not="there is no uv.lock that can be read: what is installed depends on the day")
    if re.search(r"^\s*\[(?:build-system|tool\.uv\.workspace)", manifest, re.MULTILINE):
        return Install("uv", why_not="the project itself is installed as a package, from its own files")
    if re.search(r"\b(?:path|workspace)\s*=", manifests.text("uv.lock") or "") or "editable" in manifest:
        return Install("uv", why_not="packages are installed from folders of the project")
    return Install("uv", inputs=UV_FILES)
