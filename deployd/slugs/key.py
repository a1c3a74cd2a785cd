"""The content key of a slug: same input, same key, on any branch and after a merge. Pure.

What goes in is configuration format 8.3: files without the configuration files themselves, what a build reads of the
configuration, variables that it sees, its image and how deployd builds. Branch, commit and author do not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployd.ids import SlugKey
from deployd.project.model import Application, BuildCache, Json, Runtime

FORMAT = 1
"""Of the key itself; a slug of another format is not found and built again."""


@dataclass(frozen=True, slots=True)
class BuildInput:
    """All that a build depends on."""

    project: str
    """Its id; no slug is shared between projects."""
    app: str
    listing: str
    """Digest of the files of its root, without the configuration files."""
    build: Mapping[str, Json]
    """What `build_part` gives."""
    variables: Mapping[str, Any]
    """Every one that the build sees."""
    image_id: str
    """Of the runtime's image."""
    recipe_version: int
    """Of how deployd builds."""


def slug_key(of: BuildInput) -> SlugKey:
    """The key of the slug that a build makes of its input."""
    parts = [
        FORMAT, of.project, of.app, of.listing, of.build, of.variables, of.image_id, of.recipe_version,
    ]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_plain)
    return SlugKey(hashlib.sha256(text.encode()).hexdigest())


def once_more(key: SlugKey, why: str) -> SlugKey:
    """The key of what is built once more though its input is the same.

    Args:
        why: The same each time that it is asked for by the same.
    """
    return SlugKey(hashlib.sha256(f"{key} {why}".encode()).hexdigest())


def build_part(app: Application) -> dict[str, Json]:
    """What a build depends on of an application's configuration (format 4.1, column "rebuild"), as plain JSON.

    Hooks of the deployment, crons, relationships, sizes, access, routes and web locations stay out: a change of
    theirs builds nothing. Of mounts only the places count: the slug has an empty folder for each.
    """
    stack = app.stack
    return {
        "name": app.name,
        "type": app.type,
        "stack": {"runtimes": list(stack.runtimes), "packages": list(stack.packages)} if stack else None,
        "root": app.root,
        "flavor": app.build.flavor,
        "caches": [_cache(cache) for cache in sorted(app.build.caches, key=lambda item: item.name)],
        "dependencies": _tree(app.dependencies),
        "build_hook": app.hooks.build.script if app.hooks.build else None,
        "runtime": _runtime(app.runtime),
        "variables": _tree(app.web.instance.variables),
        "mounts": sorted({mount.path for mount in app.all_mounts()}),
        "preflight": [app.preflight.enabled, sorted(app.preflight.ignored_rules)],
    }


def _cache(cache: BuildCache) -> Json:
    return [cache.name, cache.directory, list(cache.watch), cache.allow_stale, cache.share_between_apps]


def _runtime(runtime: Runtime) -> Json:
    extensions: list[Json] = [[item.name, _tree(item.configuration)] for item in runtime.extensions]
    return {
        "extensions": sorted(extensions, key=lambda item: json.dumps(item, sort_keys=True)),
        "disabled_extensions": sorted(runtime.disabled_extensions),
        "request_terminate_timeout": runtime.request_terminate_timeout_seconds,
        "request_memory": runtime.request_memory_mb,
        "reserved_memory": runtime.reserved_memory_mb,
        "xdebug": runtime.xdebug_idekey,
        "other": _tree(runtime.other),
    }


def _tree(value: Any) -> Any:
    """Mappings of any kind as dictionaries, all the way down."""
    if isinstance(value, Mapping):
        return {str(name): _tree(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tree(item) for item in value]
    return value


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no place in a slug's key")
