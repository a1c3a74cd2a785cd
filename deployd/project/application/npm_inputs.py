"""Which files decide what npm installs. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from deployd.project.model.installs import Install

if TYPE_CHECKING:
    from deployd.project.application.installs import Manifests

SCRIPTS = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare")
"""Of the project itself: npm runs them when it installs."""
WITH_SCRIPTS = frozenset({
    "@parcel/watcher", "@sentry/cli", "@swc/core", "argon2", "bcrypt", "better-sqlite3", "bufferutil", "canvas",
    "core-js", "core-js-bundle", "core-js-pure", "cpu-features", "cypress", "deasync", "dtrace-provider", "electron",
    "es5-ext", "esbuild", "farmhash", "fsevents", "gifsicle", "grpc", "highlight.js", "iconv", "jpegtran-bin",
    "kerberos", "keytar", "leveldown", "lmdb", "mozjpeg", "msgpackr-extract", "node-sass", "nodemon", "optipng-bin",
    "phantomjs-prebuilt", "protobufjs", "re2", "sharp", "sqlite3", "ssh2", "styled-components", "unrs-resolver",
    "utf-8-validate", "vue-demi", "workerd", "yarn", "zeromq",
})
"""Packages whose scripts compile or fetch their own parts, and read no file of the project."""
INPUTS = r"package\.json|package-lock\.json|npm-shrinkwrap\.json|\.npmrc|node_modules(?:/.*)?"
"""Packages that the repository brings are not installed anew, and scripts of others run them."""
FETCHES = ".prebuild-installrc"
"""Says from where scripts of packages take what they would compile."""
RUNS_FILES = re.compile(
    r"""(?:^|[\r\n])[\s"']*(?:script-shell|node-options|node[-_]gyp|globalconfig|userconfig|onload-script|git)\b""",
)
"""Settings of .npmrc with which npm runs or reads files that they name."""
OF_FOLDERS = ("file:", "link:", "portal:", ".", "/", "~")


def npm_install(manifests: Manifests) -> Install:
    manifest = manifests.document("package.json")
    if manifest is None:
        return Install("npm", why_not="there is no package.json")
    lock = manifests.document("npm-shrinkwrap.json") or manifests.document("package-lock.json")
    return Install("npm", inputs=INPUTS, why_not=_why_not(manifest, lock, manifests))


def _why_not(manifest: dict[str, Any], lock: dict[str, Any] | None, manifests: Manifests) -> str:
    if lock is None:
        return "there is no package-lock.json that can be read: what is installed depends on the day"
    packages = lock.get("packages")
    if not isinstance(packages, dict):
        return "package-lock.json is of npm's first kind, which does not say what runs scripts"
    if RUNS_FILES.search(manifests.text(".npmrc") or ""):
        return ".npmrc has npm run or read files that it names"
    scripts = manifest.get("scripts")
    own = [name for name in SCRIPTS if isinstance(scripts, dict) and name in scripts]
    if own:
        return f"the script {own[0]} of package.json may read any file"
    if manifest.get("workspaces"):
        return "workspaces are installed from folders of the project"
    if manifests.has(FETCHES):
        return f"{FETCHES} has packages take files from where it says"
    if manifests.has("binding.gyp"):
        return "binding.gyp is compiled when packages are installed"
    return next(filter(None, (_why_package(path, item) for path, item in packages.items())), "")


def _why_package(path: str, item: Any) -> str:
    if not isinstance(item, dict) or not path:
        return ""
    name = path.rpartition("node_modules/")[2][:100]
    if item.get("link") or str(item.get("resolved", "")).startswith(OF_FOLDERS) or "node_modules" not in path:
        return f"the package {name} is installed from a folder of the project"
    if item.get("hasInstallScript") and item.get("name", name) not in WITH_SCRIPTS:
        return f"the package {name} runs a script, which may read any file"
    return ""
