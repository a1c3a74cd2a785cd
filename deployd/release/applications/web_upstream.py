"""How the nginx in front of an application asks it, and what is left of the location in the answer: nothing. Pure.

nginx hands down `expires` and `add_header` to a nested location, and to a named one nothing of the location that a
request comes from. Both are wrong for an application: what a location says of files must not touch its answers, what it
says of bodies (`request_buffering`) must hold for its requests. So each place that asks an application says it anew.

Surprise: the router hears the application's own `Cache-Control` a second time, in a header of ours (`SAID`). Whatever
stands between the two, the router's cache keeps nothing that the application called private (deployd/keep.lua there).
"""

from __future__ import annotations

from collections.abc import Iterator

from deployd.environment.platform import APP_FOLDER, PORT, SOCKET
from deployd.project.fields.nginx_literal import literal
from deployd.project.model import Application, RequestBuffering

FASTCGI_PARAMETERS = {
    "QUERY_STRING": "$args", "REQUEST_METHOD": "$request_method", "CONTENT_TYPE": "$content_type",
    "CONTENT_LENGTH": "$content_length", "REQUEST_URI": "$request_uri", "DOCUMENT_URI": "$uri",
    "SERVER_PROTOCOL": "$server_protocol",
    "REQUEST_SCHEME": "$deployd_forwarded_scheme", "HTTPS": "$deployd_forwarded_https",
    "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "nginx", "REMOTE_ADDR": "$remote_addr",
    "REMOTE_PORT": "$remote_port", "SERVER_ADDR": "$server_addr", "SERVER_PORT": "$deployd_forwarded_port",
    "SERVER_NAME": "$host", "REDIRECT_STATUS": "200",
    "HTTP_PROXY": '""',   # never let a client set the proxy of the application (httpoxy)
}
FASTCGI_FILE = "fastcgi.conf"
SAID = "add_header X-Deployd-Cache-Control $upstream_http_cache_control always;"
"""In every location; it also keeps away the `add_header` of an outer one."""
UNTOUCHED = ("expires off;", "charset off;", SAID)
"""In every location that asks an application; the manual: "Responses from the app aren't affected"."""


def render_body_rules(app: Application, buffering: RequestBuffering) -> Iterator[str]:
    """What counts for the body of a request."""
    yield f"client_max_body_size {buffering.max_request_size_bytes};"   # 0 is without a bound
    if not buffering.enabled:
        yield f"{'fastcgi' if app.web.protocol == 'fastcgi' else 'proxy'}_request_buffering off;"


def render_fastcgi(
    app: Application, script: str, url: str, *, document_root: str, buffering: RequestBuffering,
) -> Iterator[str]:
    """Run a script.

    Args:
        script: Its file, as a word of nginx.
        url: What it believes that its own URL is, as a word of nginx.
    """
    yield from UNTOUCHED
    if not buffering.enabled:   # PHP is told the length before, and would read nothing
        yield "if ($http_transfer_encoding) { return 411; }"
    yield f"fastcgi_param SCRIPT_FILENAME {script};"
    yield f"fastcgi_param SCRIPT_NAME {url};"
    yield f"fastcgi_pass {f'unix:{SOCKET}' if app.web.socket_family == 'unix' else f'127.0.0.1:{PORT}'};"
    yield f"fastcgi_param DOCUMENT_ROOT {literal(f'{APP_FOLDER}/{document_root}'.rstrip('/'))};"
    yield f"include {FASTCGI_FILE};"   # beside nginx.conf


def render_http(app: Application) -> Iterator[str]:
    """Ask a server of the application's own."""
    yield from UNTOUCHED
    if app.web.socket_family == "unix":
        yield f"proxy_pass http://unix:{SOCKET}:;"
    else:
        yield f"proxy_pass http://127.0.0.1:{PORT};"   # the application shares this network
    yield "proxy_http_version 1.1;"
    yield "proxy_set_header Host $http_host;"
    yield "proxy_set_header Upgrade $http_upgrade;"
    yield "proxy_set_header Connection $deployd_upgrade;"
    yield "proxy_read_timeout 3600s;"
    yield "proxy_buffering off;"
