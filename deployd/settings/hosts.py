"""Host names as the operator writes them, made into what browsers ask for. Pure.

Case, a dot at the end and other scripts are corrected (`Bücher.Example.` is `xn--bcher-kva.example`); what else no
browser could ever send is refused: a host that cannot match answers 404 to everybody, and nobody says why.
"""

from __future__ import annotations

import re

import idna

LONGEST_HOST = 253    # RFC 1035, as text
LONGEST_LABEL = 63    # RFC 1035, too
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
WITH_UNDERSCORES = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
"""Not a host's by the book, but they are asked for; never in the last label."""
PLACEHOLDERS = {"{environment}": "e" * 40, "{project}": "p" * 32}
"""Each as long as it can become: see `environment/naming.py` and `PROJECT_ID`."""
LIKE_THIS = "write a host name alone, as shop.example.com"


def host_name(text: str) -> str:
    """What browsers send for a host that people write.

    Raises:
        ValueError: None of them would ever send it; the text is for people.
    """
    _refuse_more_than_a_host(text)
    host = _in_ascii(text.strip().removesuffix("."))
    labels = host.split(".")
    if "" in labels:
        raise ValueError(f"{text!r} has nothing between two of its dots; {LIKE_THIS}")
    for label in labels:
        if len(label) > LONGEST_LABEL:
            raise ValueError(f"{label!r} has {len(label)} characters, and {LONGEST_LABEL} can stand between two dots")
    if len(host) > LONGEST_HOST:
        raise ValueError(f"{text[:40] + '…'!r} has {len(host)} characters, and a host has at most {LONGEST_HOST}")
    if not all(map(WITH_UNDERSCORES.fullmatch, labels)) or not LABEL.fullmatch(labels[-1]):
        raise ValueError(f"{text!r} is not a host: letters, digits and hyphens, with dots between; {LIKE_THIS}")
    return host


def host_template(text: str) -> str:
    """A pattern of hosts with {environment} and {project}, as `host_name` does it; long labels are cut later.

    Raises:
        ValueError: With the longest names it would not be a host, or the placeholders are not those two.
    """
    lowered = text.strip().lower()
    if not all(placeholder in lowered for placeholder in PLACEHOLDERS):
        raise ValueError("must contain {environment} and {project}, e.g. {environment}-{project}.example.com")
    if re.search(r"[{}]", _filled(lowered, dict.fromkeys(PLACEHOLDERS, ""))):
        raise ValueError("only {environment} and {project} can stand in braces")
    if any("{" in label and not label.isascii() for label in lowered.split(".")):
        raise ValueError("what stands beside a placeholder, without a dot between, must be letters of ASCII")
    host_name(_filled(lowered, dict.fromkeys(PLACEHOLDERS, "x")))   # what is said of it, is said of its own words
    longest = ".".join(label[:LONGEST_LABEL] for label in _filled(lowered, PLACEHOLDERS).split("."))
    if len(longest) > LONGEST_HOST:
        raise ValueError(f"its hosts could have {len(longest)} characters, and {LONGEST_HOST} are the most")
    return ".".join(
        label if "{" in label or label.isascii() else _in_ascii(label) for label in lowered.removesuffix(".").split(".")
    )


def _filled(template: str, values: dict[str, str]) -> str:
    for placeholder, value in values.items():
        template = template.replace(placeholder, value)
    return template


def _refuse_more_than_a_host(text: str) -> None:
    """What people write for a host, each with its own hint."""
    if not text.strip():
        raise ValueError(f"it is empty; {LIKE_THIS}, or leave it out")
    if not text.strip().isprintable() or " " in text.strip():
        raise ValueError(f"{text!r} has blanks or characters that cannot be shown; {LIKE_THIS}")
    if "{" in text or "}" in text:
        raise ValueError(f"{text!r} has a placeholder, and {{default}} stands for what is written here; {LIKE_THIS}")
    if "://" in text or "/" in text:
        raise ValueError(f"{text!r} is an address with a scheme or a path; {LIKE_THIS}")
    if ":" in text:
        raise ValueError(f"{text!r} has a port, or is an IPv6 address; {LIKE_THIS}: ports are those of `router`")
    if "*" in text:
        raise ValueError(f"{text!r} stands for many hosts; write the domain, and `*.{{default}}` in routes.yaml")


def _in_ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"{host!r} has no form that browsers ask for: {error}") from None
