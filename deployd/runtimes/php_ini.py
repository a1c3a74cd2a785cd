"""Where PHP looks for its settings and extensions, in which order. Pure."""

from __future__ import annotations

from deployd.project.model import Application

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
    "igbinary", "intl", "mbstring", "msgpack", "mysqli", "pdo_mysql", "pdo_sqlite", "phar", "posix", "readline",
    "simplexml", "soap", "sockets", "sqlite3", "sysvmsg", "sysvsem", "sysvshm", "tokenizer", "xmlreader", "xmlwriter",
    "zip",
)
"""What the PHP images load when nothing is said, in an order in which it can be loaded."""


def scan_dir(app: Application, ini_folders: list[str]) -> dict[str, str]:
    """The variable by which PHP finds an application's extensions, and then these folders."""
    return {"PHP_INI_SCAN_DIR": ":".join([*_extension_folders(app), *ini_folders])}


def _extension_folders(app: Application) -> list[str]:
    """Folders with one ini file each. An empty one means the folder that the PHP program was built with."""
    disabled = {name.lower() for name in app.runtime.disabled_extensions}
    wanted = [name for item in app.runtime.extensions if (name := item.name.lower()) not in disabled]
    more = [name for name in dict.fromkeys(wanted) if name not in DEFAULT_EXTENSIONS]
    if disabled.isdisjoint(DEFAULT_EXTENSIONS):
        return ["", *(f"{EXTENSIONS_FOLDER}/{name}" for name in more)]
    left = [name for name in DEFAULT_EXTENSIONS if name not in disabled]
    return [f"{EXTENSIONS_FOLDER}/{name}" for name in (*left, *more)]
