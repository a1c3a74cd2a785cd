"""How PHP answers: FPM's pool, and the command that starts it (configuration format 4.15). Pure."""

from __future__ import annotations

import math

from deployd.environment.platform import PORT, SOCKET
from deployd.project.model import Application

FPM_FILE = "/etc/deployd/php-fpm.conf"
LEAST_WORKERS = 2
MANY_WORKERS = 25
WORKERS_FOR_EACH_CPU = 5


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
