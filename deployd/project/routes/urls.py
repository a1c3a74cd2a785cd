"""Keys of the routes file: URL patterns with placeholders (configuration format 6.2). Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from deployd.project.fields.fields import Field
from deployd.project.findings.spelling import nearest, shown

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.ASCII)
_HOST = re.compile(
    r"(\*\.)?([a-z0-9_-]+\.)*(\{default\}|\{all\}|[a-z0-9]([a-z0-9-]*[a-z0-9])?)", re.ASCII | re.IGNORECASE
)


def is_url(text: str) -> bool:
    """Whether a target can be taken apart later on; it may hold placeholders, and a port."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:   # `https://[x/`, `https://x:99999/`
        return False
    return parts.scheme in ("http", "https") and bool(host) and not re.search(r"[\x00-\x20\x7f]", text)


def check_url(field: Field, url: str) -> bool:
    """Whether a key of the routes file is a URL pattern."""
    parts = _URL.fullmatch(url)
    if parts is None:
        field.wrong_name(
            "scheme-missing",
            f"the route `{shown(url)}` does not begin with `https://` or `http://`",
            f'write "https://{shown(url).lstrip("/")}"',
        )
        return False
    host, path = parts["host"], parts["path"]
    if parts["scheme"] not in ("http", "https"):
        field.wrong_name(
            "bad-url", f"`{shown(parts['scheme'])}` is not a scheme of routes", "begin with `https://` or `http://`"
        )
    elif re.search(r":\d+$", host):
        field.wrong_name(
            "port-not-allowed",
            f"the route `{shown(url)}` has a port, routes are on 80 and 443 only",
            f'write "{parts["scheme"]}://{shown(host.rsplit(":", 1)[0] + path)}"',
        )
    elif "{" in host and not re.search(r"\{(default|all)\}", host):
        word = re.search(r"\{([^}]*)", host)
        near = nearest(word[1], ("default", "all")) if word else None
        field.wrong_name(
            "bad-placeholder",
            f"the route `{shown(url)}` has a placeholder that does not exist",
            f"did you mean `{{{near}}}`?" if near else "there are `{default}` and `{all}`",
        )
    elif not _HOST.fullmatch(host) or len(host) > 253:
        field.wrong_name(
            "bad-url",
            f"`{shown(host)}` is not a host" if host else f"the route `{shown(url)}` has no host",
            "write a host name, `{default}` or `{all}`, with `*.` in front at most",
        )
    elif (
        parts["rest"]
        or any(character in path for character in "{}*^$()[]\\\"' ")
        or any(ord(character) < 33 for character in path)
    ):
        field.wrong_name(
            "bad-url",
            f"`{shown(path + parts['rest'])}` is not a plain path",
            "a path is a prefix, without `?`, `#` and regular expressions",
        )
    else:
        return True
    return False
