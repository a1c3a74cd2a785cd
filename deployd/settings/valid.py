"""Single values as the operator writes them: what no part of the system could use is refused. Pure.

Each function gives the value back, normalised, or raises a ValueError whose text is for people; what of a secret can
be guessed is said later, with all else that is wrong.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

from deployd.settings.hosts import host_name

LAST_PORT = 65_535
LONGEST_LINE = 200
NO_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|[/.]$|\.lock(/|$)")
"""What git takes for no name of a branch: git-check-ref-format."""
PROJECT_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
REMOTE = re.compile(r"(https?|ssh|git|file)://\S+|[^\s:/-][^\s:/]*:\S+|/.+", re.ASCII)
LEAST_CHARACTERS = 16
"""Of a token and of a webhook's secret: what `openssl rand -hex 8` gives."""
LEAST_DIFFERENT = 6
"""Different characters in it; `xxxxxxxxxxxxxxxx` is a place to be filled."""
PLACEHOLDERS = re.compile(
    r"(change|replace).?(me|this)|placeholder|example|your.?(secret|token)|password|openssl|…", re.IGNORECASE,
)


def line(text: str) -> str:
    """A text that is shown to people, on one line."""
    if text and not text.isprintable():
        raise ValueError(f"{text!r} has line ends or characters that cannot be shown")
    if len(text) > LONGEST_LINE:
        raise ValueError(f"it has {len(text)} characters, and {LONGEST_LINE} are enough")
    return text


def secret(text: str) -> str:
    """A secret that goes into a header or a line of a protocol."""
    if text != text.strip() or not text.isprintable():
        raise ValueError("it begins or ends with a blank, or has a line end in it: nobody could send it")
    return text


def weakness_of(secret: str) -> str:
    """Why a secret can be guessed; empty when it cannot."""
    if len(secret) < LEAST_CHARACTERS:
        return f"it has {len(secret)} characters, and {LEAST_CHARACTERS} are the least"
    if len(set(secret)) < LEAST_DIFFERENT:
        return "it repeats itself"
    if PLACEHOLDERS.search(secret):
        return "it is a word that holds the place of a secret"
    return ""


def branch(text: str) -> str:
    if not text:
        raise ValueError("it is empty; name a branch")
    if NO_BRANCH.search(text) or not text.isprintable():
        raise ValueError(f"{text!r} cannot be the name of a branch; write it as `git branch` shows it")
    return text


def branch_pattern(text: str) -> str:
    """The name of a branch, in which `*` stands for any letters."""
    if "?" in text or "[" in text:
        raise ValueError(f"{text!r} is no pattern of branches; `*` alone stands for any letters, as in feature/*")
    branch(text.replace("*", "x"))
    return text


def without_password(url: str) -> str:
    return re.sub(r"//[^@/]*@", "//", url)


def remote_url(text: str) -> str:
    if not REMOTE.fullmatch(text) or not text.isprintable():
        raise ValueError(
            f"{without_password(text)!r} is no address of a repository, as https://git.example.com/shop.git"
        )
    return text


def absolute(path: Path) -> Path:
    """A path that means the same wherever the daemon is started, and that Docker and nginx take as one word."""
    if not path.is_absolute():
        raise ValueError(f"{path} is not an absolute path")
    if not str(path).isprintable() or re.search(r"""[\s"'\\;{}$]""", str(path)):
        raise ValueError(f"{str(path)!r} has blanks, quotes or other signs that the configuration of nginx cannot hold")
    if ".." in path.parts:
        raise ValueError(f"{path} leads back by `..`; write where it really is")
    return path


def folder(path: Path) -> Path:
    if path == Path("/"):
        raise ValueError("/ is the whole host; name a folder of its own")
    return absolute(path)


def address(text: str) -> str:
    """An address of this host to listen on, or a name of one, without a port; brackets of IPv6 go."""
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    try:
        return host_name(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an address alone, as 0.0.0.0, :: or 192.0.2.7") from None


def address_and_port(text: str) -> str:
    """`127.0.0.1:8480`, `[::1]:8480`, `:8480` (the loopback address), `deploy.example.com:8480`."""
    host, colon, port = text.rpartition(":")
    wrong = f"{text!r} is not an address and a port, as 127.0.0.1:8480 or [::1]:8480"
    if not colon or not (port.isascii() and port.isdecimal()) or not 1 <= int(port) <= LAST_PORT:
        raise ValueError(wrong)
    try:
        if host.startswith("[") and host.endswith("]"):
            ipaddress.IPv6Address(host[1:-1])
        elif host:
            host_name(host)
    except ValueError:
        raise ValueError(wrong) from None
    return text


def web_url(text: str) -> str:
    """`https://host[:port]`; empty stays empty, and a slash at the end goes."""
    if not text:
        return text
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or not text.isprintable():
        raise ValueError(f"{text!r} is not an address of the web, as https://deploy.example.com")
    if ":" not in host:
        host_name(host)
    return text.rstrip("/")
