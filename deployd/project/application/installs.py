"""What an application installs, and which files decide what comes of it: read from its manifests and lock files. Pure.

A later build may take over what an earlier one installed only when nothing else can have had a part in it. So whatever
is not known to read these files alone (a script, a plug-in, a package from a folder) is a reason against it, said in
words.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from deployd.project.application.composer_inputs import composer_install
from deployd.project.application.hook_lines import split_hook
from deployd.project.application.npm_inputs import npm_install
from deployd.project.application.python_inputs import pip_install, pip_itself, uv_sync
from deployd.project.model.application import Application
from deployd.project.model.installs import Install
from deployd.project.model.magento import MARK
from deployd.project.tree.files import Files

LARGEST_BYTES = 5_000_000
OF_FLAVOR = {"composer": "composer", "symfony": "composer", "default": "npm"}


class Manifests:
    """Files of one application's root."""

    def __init__(self, files: Files, root: str) -> None:
        self._files = files
        self._root = root
        self._paths: frozenset[str] | None = None

    def text(self, name: str) -> str | None:
        """None: there is none, it is a link, or it is larger than what is looked at."""
        path = posixpath.join(self._root, name)
        if self._files.link_in(path) or self._files.tree.size(path) > LARGEST_BYTES:
            return None
        try:
            return self._files.tree.read(path).decode()
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def document(self, name: str) -> dict[str, Any] | None:
        """An object of JSON; None: there is none."""
        text = self.text(name)
        try:
            found = json.loads(text) if text is not None else None
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def has(self, path: str) -> bool:
        """Whether there is a file or a folder."""
        return path in self._all()

    def _all(self) -> frozenset[str]:
        if self._paths is None:
            prefix = f"{self._root}/" if self._root else ""
            files = [path[len(prefix):] for path in self._files.tree.paths() if path.startswith(prefix)]
            folders = {folder for path in files for folder in _above(path)}
            self._paths = frozenset(files) | folders
        return self._paths


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


FACTS: dict[str, Callable[[Manifests], Install]] = {
    "composer": composer_install, "npm": npm_install, "uv": uv_sync, "pip itself": pip_itself,
}


def with_installs(app: Application, files: Files) -> Application:
    """The same application, with what its flavor and the first lines of its build hook install."""
    manifests = Manifests(files, app.root)
    found = []
    if app.build.flavor in OF_FLAVOR:
        found.append(FACTS[OF_FLAVOR[app.build.flavor]](manifests))
    elif app.magento is not None and app.hooks.build is not None and app.hooks.build.script.strip() == MARK:
        found.append(composer_install(manifests))
    elif app.hooks.build is not None:
        split = split_hook(app.hooks.build.script)
        for number, (tool, command) in enumerate(split.installs):
            is_last = not split.rest and number == len(split.installs) - 1
            facts = pip_install(manifests, command) if tool == "pip" else FACTS[tool](manifests)
            found.append(replace(facts, command=command, may_fail=not split.ends_at_errors and not is_last))
    return replace(app, installs=tuple(found)) if found else app
