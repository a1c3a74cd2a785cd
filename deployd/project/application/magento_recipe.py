"""Whether an application is a Magento that deployd's own recipe builds and deploys. Pure.

It is one when it says so (a line `deployd-magento` in a hook), when its hooks are commands of the cloud's first years,
which no package of today has any more, and when it requires Magento and has no hooks. Hooks that name other tools
(ece-tools, bin/magento by hand) run as they are.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import replace
from typing import Any

from deployd.project.application.magento_env import read_stages
from deployd.project.model.application import Application, Hook, Hooks
from deployd.project.model.magento import MARK, Magento
from deployd.project.offered.runtimes import runtime_type
from deployd.project.tree.files import Files

LARGEST_BYTES = 3_000_000
SIZE = "XL"
MAGENTO_PACKAGES = re.compile(
    r"magento/(product-(community|enterprise)-edition|magento-cloud-metapackage|project-(community|enterprise)-edition)"
    r"|mage-os/(product-community-edition|product-minimal|project-community-edition)",
)
TOOLS = ("magento/ece-tools", "platformsh/magento2-configuration")
_PHP = r"(?:(?:/usr/bin/)?php\s+)?(?:\./|/app/)?"
HISTORIC = re.compile(
    rf"{_PHP}bin/magento\s+magento-cloud:(?:build|deploy)"
    rf"|{_PHP}vendor/magento/magento-cloud-configuration/(?:pre-deploy|patch)\.php"
    rf"|{_PHP}vendor/bin/m2-ece-(?:build|deploy)"
    rf"|{_PHP}vendor/platformsh/magento2-configuration/magento-(?:build|deploy)\.php",
)
OF_TOOLS = re.compile(r"m2-ece-|platformsh/")
"""Of those the ones that a package of TOOLS still has."""


def with_recipe(app: Application, files: Files) -> Application:
    """The same application; where the recipe is at work, the hooks that it runs in have a line `deployd-magento`."""
    if not runtime_type(app.runtime_name).runs_magento:
        return app
    required = _required(app, files)
    if any(map(MAGENTO_PACKAGES.fullmatch, required)):
        app = _with_room(app, files)
    has_tools = any(name in required for name in TOOLS)
    written = (app.hooks.build, app.hooks.deploy, app.hooks.post_deploy)
    marked = [_marked(hook, has_tools) for hook in written]
    why = next((why for _, why in marked if why), "")
    if not why and not has_tools and not any(written) and any(map(MAGENTO_PACKAGES.fullmatch, required)):
        why = "it requires Magento and has no hooks"
    if not why:
        return app
    if not app.crons:
        files.findings.warn(
            "magento-crons", app.type_place,
            f"{app.name} is a Magento without crons: mails, indexes and queues stand still",
            "write `crons: {cronrun: {spec: '* * * * *', commands: {start: php bin/magento cron:run}}}`",
        )
    hooks = [hook or Hook(f"{MARK}\n", app.type_place) for hook, _ in marked]
    return replace(app, hooks=Hooks(*hooks), magento=Magento(read_stages(app, files), why))


def _with_room(app: Application, files: Files) -> Application:
    """A minute of a Magento's crons starts three processes of 200 MB: without a `size` the kernel would end them."""
    instance = app.web.instance
    if instance.size != "AUTO":
        return app
    what = f"{app.name} is a Magento and gets the size {SIZE}, as nothing else is said"
    files.findings.warn("magento-size", app.type_place, what, "write `size`; `AUTO` is too little for its crons")
    return replace(app, web=replace(app.web, instance=replace(instance, size=SIZE)))


def _marked(hook: Hook | None, has_tools: bool) -> tuple[Hook | None, str]:
    """A hook with its first historic command replaced and the others left out, and why it is the recipe's."""
    if hook is None:
        return None, ""
    lines: list[str] = []
    why = ""
    for line in hook.script.splitlines():
        commands = line.split(" && ")
        found = [_why(command.strip(), has_tools) for command in commands]
        first = next((number for number, words in enumerate(found) if words), None)
        if first is None:
            lines.append(line)
            continue
        before = " && ".join(commands[:first])
        after = " && ".join(commands[number] for number in range(first, len(commands)) if not found[number])
        # The recipe is a line of its own: what comes before it ends the hook when it fails, as `&&` would.
        lines += [*([f"{before} || exit"] if before else []), *([] if why else [MARK]), *([after] if after else [])]
        why = why or found[first]
    return (replace(hook, script="\n".join(lines) + "\n"), why) if why else (hook, "")


def _why(command: str, has_tools: bool) -> str:
    if command == MARK:
        return f"a hook says `{MARK}`"
    if HISTORIC.fullmatch(command) and not (has_tools and OF_TOOLS.search(command)):
        return f"`{command}` is a command of the cloud's first years"
    return ""


def _required(app: Application, files: Files) -> frozenset[str]:
    """What composer.json requires, and which of TOOLS composer.lock has."""
    required = _document(posixpath.join(app.root, "composer.json"), files).get("require")
    names = frozenset(required) if isinstance(required, dict) else frozenset()
    if not any(map(MAGENTO_PACKAGES.fullmatch, names)) or not names.isdisjoint(TOOLS):
        return names
    packages = _document(posixpath.join(app.root, "composer.lock"), files).get("packages")
    locked = [item.get("name") for item in packages if isinstance(item, dict)] if isinstance(packages, list) else []
    return names | frozenset(name for name in TOOLS if name in locked)


def _document(path: str, files: Files) -> dict[str, Any]:
    """What is no JSON, or too large, says nothing: composer will complain in the build."""
    if files.tree.size(path) > LARGEST_BYTES:
        return {}
    data = files.bytes_of(path)
    try:
        found = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
