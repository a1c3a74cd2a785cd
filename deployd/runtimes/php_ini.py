"""PHP's settings and extensions: where it looks for them, and what is written there. Pure.

Order in which PHP reads settings, the last one wins: Debian's php.ini, the extensions, what the container's memory
allows, the image's deployd.ini, the application's own php.ini (through a link in the image), and then what is rendered
here: extensions' configuration and the `php:` variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployd.project.model import Application, Json

EXTENSIONS_FOLDER = "/etc/php/extensions"
APP_INI_FOLDER = "/etc/php/app.d"
"""Holds a link to the application's own php.ini."""
RUN_INI_FOLDER = "/etc/deployd"
SIZED_INI_FOLDER = f"{RUN_INI_FOLDER}/sized"
"""What depends on the container's memory: before the application's own settings, which may say otherwise."""
BUILD_INI_FOLDER = "/tmp/.deployd"

DEFAULT_EXTENSIONS = (
    "opcache", "mysqlnd", "pdo", "xml",   # the others stand on these
    "bcmath", "bz2", "calendar", "ctype", "curl", "dba", "dom", "exif", "fileinfo", "ftp", "gd", "gettext", "iconv",
    "igbinary", "intl", "json", "mbstring", "msgpack", "mysqli", "pdo_mysql", "pdo_sqlite", "phar", "posix", "readline",
    "simplexml", "soap", "sockets", "sqlite3", "sysvmsg", "sysvsem", "sysvshm", "tokenizer", "xmlreader", "xmlwriter",
    "zip",
)
"""What the PHP images load when nothing is said, in an order in which it can be loaded. What is part of newer programs,
or not packaged for it, has no folder there, which PHP passes over."""
NEEDED_FIRST = {"apcu_bc": ("apcu",), "http": ("raphf", "propro"), "memcached": ("igbinary", "msgpack"),
                "redis": ("igbinary",)}
"""{extension: others without which it cannot be loaded, in the order in which they can}"""
PART_FOR_OPCACHE, PART_FOR_STRINGS = 4, 8
"""Of the memory; of opcache."""
LEAST_OPCACHE_MB, USUAL_OPCACHE_MB, MOST_OPCACHE_MB, LEAST_STRINGS_MB = 32, 128, 512, 8
FEW_SCRIPTS, MANY_SCRIPTS = 16_229, 65_407
"""Primes out of PHP's own list, which it would round up to."""
PLAIN = re.compile(r"[A-Za-z0-9_.-]+|[A-Z0-9_ &|~^()]+")
"""`128M`, `On`, `E_ALL & ~E_NOTICE`"""


def scan_dir(app: Application, ini_folders: list[str]) -> dict[str, str]:
    """The variable by which PHP finds an application's extensions, and then these folders."""
    return {"PHP_INI_SCAN_DIR": ":".join([*_extension_folders(app), *ini_folders])}


def _extension_folders(app: Application) -> list[str]:
    """Folders with one ini file each. An empty one means the folder that the PHP program was built with."""
    disabled = {name.lower() for name in app.runtime.disabled_extensions}
    wanted = [name for item in app.runtime.extensions if (name := item.name.lower()) not in disabled]
    needed = [first for name in wanted for first in (*NEEDED_FIRST.get(name, ()), name)]
    more = [name for name in dict.fromkeys(needed) if name not in DEFAULT_EXTENSIONS]
    if disabled.isdisjoint(DEFAULT_EXTENSIONS):
        return ["", *(f"{EXTENSIONS_FOLDER}/{name}" for name in more)]
    left = [name for name in DEFAULT_EXTENSIONS if name not in disabled]
    return [f"{EXTENSIONS_FOLDER}/{name}" for name in (*left, *more)]


def render_sized_ini(memory_mb: int) -> str:
    """Settings that follow the container's memory. What opcache has not filled costs nothing.

    A Magento fills 128 MB and 16 MB of strings, PHP's usual values, with ten pages.
    """
    opcache = min(max(memory_mb // PART_FOR_OPCACHE, LEAST_OPCACHE_MB), MOST_OPCACHE_MB)
    return (
        f"opcache.memory_consumption = {opcache}\n"
        f"opcache.interned_strings_buffer = {max(opcache // PART_FOR_STRINGS, LEAST_STRINGS_MB)}\n"
        f"opcache.max_accelerated_files = {FEW_SCRIPTS if opcache <= USUAL_OPCACHE_MB else MANY_SCRIPTS}\n"
    )


def render_php_ini(app: Application, variables: Mapping[str, Json]) -> str:
    """Settings that come after everything else.

    Args:
        variables: {setting: value} of the `php:` variables.
    """
    configured = {
        f"{extension.name}.{name}" if "." not in name else name: value
        for extension in app.runtime.extensions for name, value in extension.configuration.items()
    }
    return "".join(f"{name} = {_value(value)}\n" for name, value in {**configured, **variables}.items())


def _value(value: object) -> str:
    """A value of an ini file. Words and expressions of constants stay; of all else no character means anything."""
    if isinstance(value, bool):
        return "On" if value else "Off"
    text = "" if value is None else str(value).replace("\r", "").replace("\n", " ")
    if PLAIN.fullmatch(text):
        return text
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'
