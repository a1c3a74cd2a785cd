"""An application as its own programs read it in PLATFORM_APPLICATION (configuration format 7.5). Pure.

It is the normalised definition: defaults filled in, durations as strings with `s`. A build sees less of it, because
what it does not see is not part of the slug's key.

Surprise: in the spelling of Magento's cloud a build sees the hooks of the deployment too. ece-tools look there whether
there are any; what these say is not part of the key all the same.
"""

from __future__ import annotations

from typing import Any

from deployd.project.model import Application, Instance, Location, Mount, Relationship, Rule


def application_json(app: Application, *, building: bool) -> dict[str, Any]:
    """
    Args:
        building: As a build sees it.
    """
    instance = app.web.instance
    shown: dict[str, Any] = {
        "name": app.name,
        "type": app.type,
        "size": instance.size,
        "disk": instance.disk_mb,
        "timezone": instance.timezone,
        "mounts": mounts_json(instance.mounts),
        "variables": {prefix: dict(names) for prefix, names in instance.variables.items()},
        "runtime": _runtime_json(app),
        "build": {"flavor": app.build.flavor, "caches": {cache.name: {} for cache in app.build.caches}},
        "dependencies": {language: dict(packages) for language, packages in app.dependencies.items()},
        "source": {"root": app.root or "/", "operations": {}},
        "preflight": {"enabled": app.preflight.enabled, "ignored_rules": list(app.preflight.ignored_rules)},
        "hooks": {"build": app.hooks.build.script if app.hooks.build else None},
        "web": {"mounts": mounts_json(instance.mounts)},
        "workers": {worker.name: {"mounts": mounts_json(worker.instance.mounts)} for worker in app.workers},
    }
    if building:
        return shown
    return shown | {
        "access": dict(instance.access) or {"ssh": "contributor"},
        "relationships": relationships_json(instance.relationships),
        "hooks": hooks_json(app),
        "crons": {cron.name: {"spec": cron.spec, "commands": {"start": cron.start, "stop": cron.stop}}
                  for cron in app.crons},
        "web": _web_json(app),
        "workers": {worker.name: _instance_json(worker.instance) for worker in app.workers},
    }


def hooks_json(app: Application) -> dict[str, str | None]:
    """Every hook with its script; None for one that there is not."""
    hooks = {"build": app.hooks.build, "deploy": app.hooks.deploy, "post_deploy": app.hooks.post_deploy}
    return {name: hook.script if hook else None for name, hook in hooks.items()}


def mounts_json(mounts: tuple[Mount, ...]) -> dict[str, Any]:
    return {
        mount.path: {"source": mount.source, "source_path": mount.source_path}
        | ({"service": mount.service} if mount.service else {})
        for mount in mounts
    }


def relationships_json(relationships: tuple[Relationship, ...]) -> dict[str, str]:
    return {item.name: f"{item.target}:{item.endpoint}" for item in relationships}


def _runtime_json(app: Application) -> dict[str, Any]:
    runtime = app.runtime
    shown: dict[str, Any] = dict(runtime.other)
    if runtime.extensions:
        shown["extensions"] = [
            {"name": extension.name, "configuration": dict(extension.configuration)}
            if extension.configuration else extension.name
            for extension in runtime.extensions
        ]
    if runtime.disabled_extensions:
        shown["disabled_extensions"] = list(runtime.disabled_extensions)
    return shown


def _web_json(app: Application) -> dict[str, Any]:
    return _instance_json(app.web.instance) | {
        "locations": {location.path: _location_json(location) for location in app.web.locations},
        "upstream": {"socket_family": app.web.socket_family, "protocol": app.web.protocol},
        "move_to_root": False,
    }


def _instance_json(instance: Instance) -> dict[str, Any]:
    commands = instance.commands
    return {
        "commands": {"start": commands.start, "pre_start": commands.pre_start, "post_start": commands.post_start},
        "size": instance.size,
        "disk": instance.disk_mb,
        "mounts": mounts_json(instance.mounts),
        "relationships": relationships_json(instance.relationships),
        "variables": {prefix: dict(names) for prefix, names in instance.variables.items()},
    }


def _location_json(location: Location) -> dict[str, Any]:
    return {
        "root": location.root,
        "passthru": location.passthru,
        "index": list(location.index),
        "expires": f"{location.expires_seconds}s",
        "scripts": location.scripts,
        "allow": location.allow,
        "headers": dict(location.headers),
        "request_buffering": {
            "enabled": location.request_buffering.enabled,
            "max_request_size": location.request_buffering.max_request_size_bytes,
        },
        "rules": {rule.pattern: _rule_json(rule) for rule in location.rules},
    }


def _rule_json(rule: Rule) -> dict[str, Any]:
    said = {"allow": rule.allow, "passthru": rule.passthru, "scripts": rule.scripts}
    shown: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    if rule.expires_seconds is not None:
        shown["expires"] = f"{rule.expires_seconds}s"
    if rule.headers is not None:
        shown["headers"] = dict(rule.headers)
    return shown
