"""Which files decide what `composer install` installs. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from deployd.project.model.installs import Install

if TYPE_CHECKING:
    from deployd.project.application.installs import Manifests

BEFORE = frozenset({
    "init", "command", "pre-command-run", "pre-file-download", "post-file-download", "pre-operations-exec",
    "pre-pool-create", "pre-dependencies-solving", "post-dependencies-solving", "pre-install-cmd",
    "pre-package-install", "post-package-install", "pre-package-update", "post-package-update", "pre-package-uninstall",
    "post-package-uninstall",
})
"""Scripts that run before all packages are there."""
AFTER = frozenset({"post-install-cmd", "pre-autoload-dump", "post-autoload-dump"})
MERGES = "wikimedia/composer-merge-plugin"
"""Reads other manifests, which name further ones."""
LOADS = "tbachert/spi"
"""Loads classes of the project when the autoloader is written."""
PLUGINS = frozenset({
    "composer/installers", "composer/package-versions-deprecated", "composer/satis",
    "cweagans/composer-patches", "dealerdirect/phpcodesniffer-composer-installer", "drupal/core-project-message",
    "drupal/core-vendor-hardening", "ergebnis/composer-normalize", "johnpbloch/wordpress-core-installer",
    "kylekatarnls/update-helper", "laminas/laminas-component-installer", "laminas/laminas-dependency-plugin",
    "mage-os/composer-dependency-version-audit-plugin", "mage-os/composer-root-update-plugin",
    "mage-os/inventory-composer-installer", "mage-os/magento-composer-installer", "magento/composer",
    "magento/composer-dependency-version-audit-plugin", "magento/composer-root-update-plugin",
    "magento/inventory-composer-installer", "magento/magento-composer-installer",
    "mnsami/composer-custom-directory-installer", "ocramius/package-versions", "oomphinc/composer-installers-extender",
    "pestphp/pest-plugin", "php-http/discovery", "phpstan/extension-installer",
    "pyrech/composer-changelogs", "roave/security-advisories", "roots/wordpress-core-installer", "symfony/flex",
    "symfony/runtime", "symfony/thanks", LOADS, "typo3/class-alias-loader", "vaimo/composer-patches",
    MERGES, "yiisoft/yii2-composer",
})
"""Plug-ins that read packages, composer's own files and what these name, and no other files of a project."""
NOT_NAMES = frozenset({
    "autoload", "autoload-dev", "scripts", "scripts-descriptions", "scripts-aliases", "require", "require-dev",
    "conflict", "replace", "provide", "suggest", "name", "description", "license", "type", "keywords", "authors",
})
"""Parts of composer.json in which texts are no names of files that installing reads."""
ALWAYS = (
    r"php\.ini", r"composer\.(?:json|lock)", r"auth\.json", r"symfony\.lock", r".*\.(?:patch|diff)",
    r"[^/]*patches[^/]*\.json", r"vendor(?:/.*)?", r"config/bundles\.php",
)
"""What is in `vendor` already is run, plug-ins too; symfony/flex runs its list of bundles when it adds to it."""
MOST_NAMES = 2_000
ROOT = "/app"
"""Where the application is when it is built."""
RUNS_FILES = re.compile(
    r"(?:^|[\r\n\]])\s*(?:auto_(?:pre|ap)pend_file|opcache\.preload|(?:zend_)?extension)\b", re.IGNORECASE,
)
"""Settings of php.ini with which any command of PHP runs files that they name; they may stand behind a `[section]`."""


def composer_install(manifests: Manifests) -> Install:
    manifest, lock = manifests.document("composer.json"), manifests.document("composer.lock")
    if manifest is None:
        return Install("composer", why_not="there is no composer.json")
    if lock is None:
        why = "there is no composer.lock that can be read: what is installed depends on the day"
        return Install("composer", why_not=why)
    if RUNS_FILES.search(manifests.text("php.ini") or ""):
        return Install("composer", why_not="php.ini has each command run a file")
    scripts = manifest.get("scripts")
    names = frozenset(scripts) if isinstance(scripts, dict) else frozenset()
    autoload = [manifest.get(key) for key in ("autoload", "autoload-dev")]
    written = manifest.get("config")
    config = written if isinstance(written, dict) else {}
    there = {str(package.get("name")) for package in _packages(lock)}
    if MERGES in there and '"merge-scripts"' in (manifests.text("composer.json") or ""):
        return Install("composer", why_not=f"{MERGES} brings scripts of other files")
    return Install(
        "composer", why_not=_why_not(names, lock),
        inputs=_inputs(manifest, lock, manifests) + (r"|.*\.json" if MERGES in there else ""),
        scripts_after=not names.isdisjoint(AFTER),
        scans_code=any(isinstance(item, dict) and item.get("classmap") for item in autoload)
        or bool(config.get("optimize-autoloader") or config.get("classmap-authoritative")) or LOADS in there,
    )


def _why_not(scripts: frozenset[str], lock: dict[str, Any]) -> str:
    early = sorted(scripts & BEFORE)
    if early:
        return f"the script {early[0]} of composer.json may read any file"
    unknown = sorted(
        str(package.get("name")) for package in _packages(lock)
        if package.get("type") in ("composer-plugin", "composer-installer") and package.get("name") not in PLUGINS
    )
    return f"the plug-in {unknown[0][:100]} may read any file" if unknown else ""


def _packages(lock: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in ("packages", "packages-dev"):
        listed = lock.get(part)
        yield from (item for item in (listed if isinstance(listed, list) else []) if isinstance(item, dict))


def _inputs(manifest: dict[str, Any], lock: dict[str, Any], manifests: Manifests) -> str:
    named = {key: value for key, value in manifest.items() if key not in NOT_NAMES}
    folders = [
        found.get("url") for package in _packages(lock)
        for found in (package.get("dist"), package.get("source")) if isinstance(found, dict)
    ]
    names = {name for text in _texts([named, folders]) if (name := _name(text)) and manifests.has(name)}
    if len(names) > MOST_NAMES:
        return ".*"
    return "|".join((*ALWAYS, *(rf"{re.escape(name)}(?:/.*)?" for name in sorted(names))))


def _name(text: str) -> str:
    """The file or folder that a text names, or the folder in which a pattern begins; empty: it names none."""
    if len(text) > 4_000 or "\0" in text:
        return ""
    whole = posixpath.normpath(posixpath.join(ROOT, text.strip().removeprefix("file://")))
    parts = whole.removeprefix(ROOT).lstrip("/").split("/")
    plain = next((number for number, part in enumerate(parts) if set(part) & set("*?[{")), len(parts))
    return "/".join(parts[:plain])


def _texts(value: Any) -> Iterator[str]:
    """All texts of a document, keys too."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
