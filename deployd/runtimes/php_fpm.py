"""How PHP runs: FPM's pool, PHP's settings, and the command that starts it (configuration format 4.15). Pure.

Order in which PHP reads settings, the last one wins: Debian's php.ini, the extensions, what the container's memory
allows, the image's deployd.ini, the application's own php.ini (through a link in the image), and then what is rendered
here: extensions' configuration and the `php:` variables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from deployd.environment.platform import PORT, SOCKET
from deployd.project.model import Application

FPM_FILE = "/etc/deployd/php-fpm.conf"
LEAST_WORKERS = 2
MANY_WORKERS = 25
WORKERS_FOR_EACH_CPU = 5
PART_FOR_OPCACHE, PART_FOR_STRINGS = 4, 8
"""Of the memory; of opcache."""
LEAST_OPCACHE_MB, USUAL_OPCACHE_MB, MOST_OPCACHE_MB, LEAST_STRINGS_MB = 32, 128, 512, 8
FEW_SCRIPTS, MANY_SCRIPTS = 16_229, 65_407
"""Primes out of PHP's own list, which it would round up to."""
PLAIN = re.compile(r"[A-Za-z0-9_.-]+|[A-Z0-9_ &|~^()]+")
"""`128M`, `On`, `E_ALL & ~E_NOTICE`"""


def fpm_start(app: Application) -> str:
    """Shell command of a PHP application that names no start command of its own."""
    return f"exec php-fpm --nodaemonize --fpm-config {FPM_FILE}"


def fpm_workers(app: Application, memory_mb: int, cpus: float | None = None) -> int:
    """Requests worked on at once: what the memory holds, at least 2; from 25 on also at most 5 for each CPU."""
    runtime = app.runtime
    workers = max(LEAST_WORKERS, math.ceil((memory_mb - runtime.reserved_memory_mb) / runtime.request_memory_mb))
    if workers >= MANY_WORKERS and cpus is not None:
        workers = min(workers, max(MANY_WORKERS, math.floor(cpus * WORKERS_FOR_EACH_CPU)))
    return workers


def render_fpm(app: Application, memory_mb: int, cpus: float | None = None) -> str:
    """FPM's configuration, one pool. It runs as the container's user, and its log is the container's."""
    unix = app.web.socket_family == "unix"
    limit = app.runtime.request_terminate_timeout_seconds
    lines = [
        "[global]",
        "pid = /run/php-fpm.pid",
        "error_log = /proc/self/fd/2",
        "log_limit = 8192",
        "daemonize = no",
        "process_control_timeout = 10s",     # a request that is under way may end before its worker does
        "",
        "[app]",
        f"listen = {SOCKET if unix else f'0.0.0.0:{PORT}'}",
        *(["listen.mode = 0660"] if unix else []),
        "listen.backlog = 511",
        "pm = ondemand",                     # an environment that nobody looks at costs one process
        f"pm.max_children = {fpm_workers(app, memory_mb, cpus)}",
        "pm.process_idle_timeout = 60s",
        "pm.max_requests = 10000",
        "clear_env = no",                    # relationships and variables are read from the environment
        "catch_workers_output = yes",
        "decorate_workers_output = no",
        "access.log = /dev/null",            # the web server in front writes one
        "security.limit_extensions =",       # which files are scripts is decided by web.locations
        *([f"request_terminate_timeout = {limit}s"] if limit is not None else []),
    ]
    return "\n".join(lines) + "\n"


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


def render_php_ini(app: Application, variables: Mapping[str, Any]) -> str:
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
