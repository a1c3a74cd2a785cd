"""Where programs of a build and of an application are looked for, as environment variables. Pure.

Global `dependencies` live in the application (`/app/.global`), because the slug is all that a build leaves. The image's
own variables are repeated where these would hide them.
"""

from __future__ import annotations

from deployd.environment.platform import APP_FOLDER, CACHE_FOLDER
from deployd.project.model import Application

GLOBAL_FOLDER = f"{APP_FOLDER}/.global"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
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


def build_paths(app: Application) -> dict[str, str]:
    """For the build container. Package managers keep what they download in the cache folder, which outlives it."""
    kept = f"{CACHE_FOLDER}/.deployd"
    return {
        **_paths(app, [APP_INI_FOLDER, BUILD_INI_FOLDER]),
        "COMPOSER_CACHE_DIR": f"{kept}/composer",
        "NPM_CONFIG_CACHE": f"{kept}/npm",
        "PIP_CACHE_DIR": f"{kept}/pip",
        "YARN_CACHE_FOLDER": f"{kept}/yarn",
    }


def runtime_paths(app: Application) -> dict[str, str]:
    """For the application, its workers, hooks and crons."""
    return _paths(app, [SIZED_INI_FOLDER, APP_INI_FOLDER, RUN_INI_FOLDER])


def _paths(app: Application, ini_folders: list[str]) -> dict[str, str]:
    paths = {
        "PATH": f"{GLOBAL_FOLDER}/bin:{APP_FOLDER}/.local/bin:{SYSTEM_PATH}",
        "PYTHONUSERBASE": GLOBAL_FOLDER,   # where `pip install` of an ordinary user installs to, and is looked for
    }
    if app.runtime_name == "php":
        paths["PHP_INI_SCAN_DIR"] = ":".join([*_extension_folders(app), *ini_folders])
    return paths


def _extension_folders(app: Application) -> list[str]:
    """Folders with one ini file each. An empty one means the folder that the PHP program was built with."""
    disabled = {name.lower() for name in app.runtime.disabled_extensions}
    wanted = [name for item in app.runtime.extensions if (name := item.name.lower()) not in disabled]
    more = [name for name in dict.fromkeys(wanted) if name not in DEFAULT_EXTENSIONS]
    if disabled.isdisjoint(DEFAULT_EXTENSIONS):
        return ["", *(f"{EXTENSIONS_FOLDER}/{name}" for name in more)]
    left = [name for name in DEFAULT_EXTENSIONS if name not in disabled]
    return [f"{EXTENSIONS_FOLDER}/{name}" for name in (*left, *more)]
