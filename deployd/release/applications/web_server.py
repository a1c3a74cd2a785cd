r"""The nginx in front of an application: `web.locations` as a configuration file (configuration format 4.8). Pure.

How a request is decided: the location with the longest prefix; its first matching rule lies over it; then a file that
is there is run (PHP, `scripts`) or served (`allow`); a folder tries `index`; the rest goes the way of `passthru`.

    location /media/ {                       one for each location
        location ~ "\.css$" { … }            one for each rule, in the file's order
        location ~ "\.php$" { … }            PHP only: script files
        try_files /pub/media$deployd_rest_1 …        the location itself
    }

Surprise: `root` of nginx is always /app, and `try_files` names the whole path below it. `alias` would be the usual way,
but does not work in regular expressions together with `try_files`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from deployd.environment.platform import APP_FOLDER
from deployd.project.fields.nginx_literal import literal, plain
from deployd.project.model import Application, Location, RequestBuffering, Rule
from deployd.release.applications.web_upstream import (
    FASTCGI_FILE,
    FASTCGI_PARAMETERS,
    SAID,
    render_body_rules,
    render_fastcgi,
    render_http,
)

Item = TypeVar("Item")

WEB_PORT = 80
"""Where the web container listens; the router comes here."""
HEALTH_PATH = "/.well-known/deployd/health"
"""Answered by the web container itself, for the check that nginx is up."""

NOWHERE = "/.deployd-nothing"
BARE = r"~(?s)[^/]\z"
ALL = r"(?s)^(.*)\z"
MATCH_LIMIT = "(*LIMIT_MATCH=300000)"
"""In front of each rule's pattern (pcre2pattern(3)): some ten milliseconds, after which the request is answered 500.
Without it PCRE goes on for a second, for each rule."""


def web_server_files(app: Application, *, trusted: str) -> dict[str, str]:
    """{file name: text}: the folder that the web container sees as /etc/deployd.

    Args:
        trusted: Network of the router, whose word about the client's address is taken.
    """
    parameters = "".join(f"fastcgi_param {name} {value};\n" for name, value in FASTCGI_PARAMETERS.items())
    return {"nginx.conf": render_web_server(app, trusted=trusted), FASTCGI_FILE: parameters}


def render_web_server(app: Application, *, trusted: str) -> str:
    """The whole nginx.conf of an application's web container; see `web_server_files`."""
    return "\n".join(_WebServer(app, trusted).lines()) + "\n"


def asks_application(app: Application) -> bool:
    """Whether any request ever gets to the application; else it serves files alone, and need not listen."""
    return app.web.protocol == "fastcgi" or any("@application" in line for line in _WebServer(app, "").locations())


class _WebServer:
    """Collects what the file needs at its top level while the locations are written."""

    def __init__(self, app: Application, trusted: str) -> None:
        self._app = app
        self._trusted = trusted
        self._applications: list[RequestBuffering] = []
        """A named location for each: it hears nothing of the location that a request comes from."""
        self._fronts: list[tuple[str, str, RequestBuffering]] = []
        """(URL of a front controller, with its own arguments; its path below /app), a named location for each"""
        self._expires: list[int] = []

    @property
    def _fastcgi(self) -> bool:
        return self._app.web.protocol == "fastcgi"

    def lines(self) -> Iterator[str]:
        locations = list(self.locations())
        yield from HEAD
        yield f"    set_real_ip_from {self._trusted};"
        for number, location in enumerate(self._app.web.locations):
            prefix = location.path.rstrip("/")
            yield f"    map $uri $deployd_rest_{number} {{"
            yield "        volatile;"
            # (?s) and \z: a line end in the path is a part of the name, and no way round a rule to the file without it
            pattern = rf"~(?s)^{_escaped(prefix)}(?<deployd_r{number}>/.*)?\z"
            yield f'        {literal(pattern)} $deployd_r{number};'
            yield "    }"
            yield f"    map $uri $deployd_bare_{number} {{"   # the same of a path that does not end in a slash
            yield "        volatile;"
            yield f'        {literal(BARE)} $deployd_rest_{number};'
            yield f"        default {NOWHERE};"
            yield "    }"
        for number, seconds in enumerate(self._expires):
            # a file that the application hands out (X-Accel-Redirect) goes with the application's word
            yield f'    map $upstream_http_cache_control$upstream_http_expires $deployd_expires_{number} {{'
            yield f'        "" {_expires(seconds)};'
            yield '        default off;'
            yield "    }"
        yield "    server {"
        yield f"        listen {WEB_PORT} default_server;"
        yield f"        root {APP_FOLDER};"
        yield f"        location = {HEALTH_PATH} {{ default_type text/plain; return 200 ok; }}"
        yield from ("        " + line for line in locations)
        yield from ("        " + line for line in self._named_locations())
        yield "    }"
        yield "}"

    def locations(self) -> Iterator[str]:
        for number, location in enumerate(self._app.web.locations):
            prefix = location.path.rstrip("/")
            yield f"location {literal(prefix + '/')} {{"
            yield from ("    " + line for line in self._location(number, location))
            yield "}"
            if prefix:   # nginx allows nothing inside an exact location; there is neither script nor rule to look for
                yield f"location = {literal(prefix)} {{"
                yield from ("    " + line for line in self._settings(number, location, inside=False))
                yield "}"

    def _location(self, number: int, location: Location) -> Iterator[str]:
        for rule in location.rules:
            yield f"location ~ {literal(MATCH_LIMIT + rule.pattern)} {{"
            yield from ("    " + line for line in self._settings(number, overlaid(location, rule)))
            yield "}"
        yield from self._settings(number, location)

    def _settings(self, number: int, location: Location, *, inside: bool = True) -> Iterator[str]:
        yield from render_body_rules(self._app, location.request_buffering)
        root = None if location.root is None else f"/{location.root}".rstrip("/")
        file = None if root is None else f"{root}$deployd_rest_{number}"
        if self._fastcgi and inside:
            yield from self._scripts(file, location)
        yield from self._caching(location)
        scripts = [name for name in location.index if self._is_script(name) and location.scripts]
        static = [name for name in location.index if not self._is_script(name)]
        if file is not None and location.allow:
            yield from _with_slash(f"{root}$deployd_bare_{number}", [*scripts, *static])
            yield from _index(file, scripts)
            tries = [file, *(f"{file}/{name}" for name in static)]
            yield f"try_files {' '.join(literal(path) for path in tries)} {self._fallback(location)};"
        else:
            if file is not None:   # what may be served says the rule that matches the index file's own path
                names = [*scripts, *(static if location.rules else ())]
                yield from _with_slash(f"{root}$deployd_bare_{number}", names)
                yield from _index(file, [name for name in location.index if name in names])
            yield f"try_files {NOWHERE} {self._fallback(location, refused='=403')};"

    def _scripts(self, file: str | None, location: Location) -> Iterator[str]:
        """PHP files: run, or treated as if they were not there; their source is never served."""
        yield r'location ~ "\.php$" {'
        if file is not None and location.scripts:
            yield "    set $deployd_url $uri;"   # before try_files makes it the path below /app
            yield f"    try_files {literal(file)} {self._fallback(location)};"
            runs = self._run(f"{APP_FOLDER}$uri", "$deployd_url", location.request_buffering)
            yield from ("    " + line for line in runs)
        else:
            yield f"    try_files {NOWHERE} {self._fallback(location, refused='=403')};"
        yield "}"

    def _is_script(self, name: str) -> bool:
        return self._fastcgi and name.endswith(".php")

    def _fallback(self, location: Location, refused: str = "=404") -> str:
        """Last argument of try_files: where a request goes for which no file is there or allowed."""
        match location.passthru:
            case False:
                return refused
            case True:
                return self._application(location)
            case str(target):
                return self._passthru(target, location)

    def _application(self, location: Location) -> str:
        return f"@application_{_number_of(location.request_buffering, self._applications)}"

    def _passthru(self, target: str, location: Location) -> str:
        path, _, arguments = target.partition("?")
        if "$" in target:
            return literal(target if arguments else f"{target}$is_args$args")
        serving = max(
            (item for item in self._app.web.locations if f"{path}/".startswith(item.path.rstrip("/") + "/")),
            key=lambda item: len(item.path), default=None,
        )
        root = serving.root if serving else None
        below = path[len(serving.path.rstrip("/")):] if serving else path
        file = f"/{root or ''}{below}".replace("//", "/")
        if not self._is_script(path):
            if root is not None:
                return f"{literal(file)} =404"
            if serving is not None and serving.passthru is True:   # the application is asked for that path
                return literal(target if arguments else f"{target}$is_args$args")
            return self._application(location)
        return f"@front_{_number_of((target, file, location.request_buffering), self._fronts)}"

    def _named_locations(self) -> Iterator[str]:
        for number, buffering in enumerate(self._applications):
            yield f"location @application_{number} {{"
            yield from ("    " + line for line in render_body_rules(self._app, buffering))
            if self._fastcgi:
                file = literal(f"{APP_FOLDER}/{self._main_root()}$uri")
                yield from ("    " + line for line in self._run(file, "$uri", buffering))
            else:
                yield from ("    " + line for line in render_http(self._app))
            yield "}"
        for number, (target, file, buffering) in enumerate(self._fronts):
            path, _, arguments = target.partition("?")
            yield f"location @front_{number} {{"
            yield from ("    " + line for line in render_body_rules(self._app, buffering))
            if arguments:   # the visitor's come after them
                yield f"    set $args {literal(f'{arguments}&$args')};"
            yield from ("    " + line for line in self._run(literal(APP_FOLDER + file), literal(path), buffering))
            yield "}"

    def _main_root(self) -> str:
        return next((item.root or "" for item in self._app.web.locations if item.path == "/"), "")

    def _run(self, script: str, url: str, buffering: RequestBuffering) -> Iterator[str]:
        return render_fastcgi(self._app, script, url, document_root=self._main_root(), buffering=buffering)

    def _caching(self, location: Location) -> Iterator[str]:
        """What files get, in this location and in none inside it."""
        own = any(name.lower() == "cache-control" for name in location.headers)   # beats `expires`
        number = None if own else _number_of(location.expires_seconds, self._expires)
        yield "expires off;" if own else f"expires $deployd_expires_{number};"
        yield SAID
        yield from (f"add_header {literal(name)} {plain(value)};" for name, value in _sorted(location.headers))


def _with_slash(bare: str, names: list[str]) -> Iterator[str]:
    """Lead the path of a folder that has an index file to the same with a slash: relative links need it."""
    for name in names:
        yield f"if (-f {literal(f'{APP_FOLDER}{bare}/{name}')}) {{ rewrite {literal(ALL)} $1/ permanent; }}"


def _index(file: str, names: list[str]) -> Iterator[str]:
    """Make a folder's path that of the first index file that is there, and decide anew."""
    for name in names:
        there = literal(f"{APP_FOLDER}{file}/{name}")
        yield f"if (-f {there}) {{ rewrite ^(.*?)/*$ {literal(f'$1/{name}')} last; }}"


def overlaid(location: Location, rule: Rule) -> Location:
    """The location as a rule changes it; what the rule leaves out stays as it was."""
    return replace(
        location,
        rules=(),
        allow=location.allow if rule.allow is None else rule.allow,
        passthru=location.passthru if rule.passthru is None else rule.passthru,
        scripts=location.scripts if rule.scripts is None else rule.scripts,
        expires_seconds=location.expires_seconds if rule.expires_seconds is None else rule.expires_seconds,
        headers=location.headers if rule.headers is None else rule.headers,
    )


def _number_of(item: Item, items: list[Item]) -> int:
    """Its place in the list; put behind the others when it is new."""
    if item not in items:
        items.append(item)
    return items.index(item)


def _expires(seconds: int) -> str:
    return "-1" if seconds < 0 else f"{seconds}s"


def _sorted(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(headers.items())


def _escaped(prefix: str) -> str:
    return "".join(char if char.isalnum() or char in "/_-" else f"\\{char}" for char in prefix)


HEAD = """\
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    charset utf-8;
    sendfile on;
    tcp_nopush on;
    server_tokens off;
    access_log off;
    keepalive_timeout 75s;
    keepalive_requests 100000;
    large_client_header_buffers 8 64k;
    absolute_redirect off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    fastcgi_buffers 16 32k;
    fastcgi_buffer_size 64k;
    fastcgi_read_timeout 3600s;
    geo $deployd_dollar { default "$"; }
    map $http_x_forwarded_proto $deployd_forwarded_scheme { https https; default http; }
    map $http_x_forwarded_proto $deployd_forwarded_https { https on; default ""; }
    map $http_x_forwarded_proto $deployd_forwarded_port { https 443; default 80; }
    map $http_upgrade $deployd_upgrade { "" ""; default upgrade; }
    real_ip_header X-Client-IP;""".splitlines()
