"""Which repository of which host an address of git names. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

SCP_ADDRESS = re.compile(r"[^/@]+@(?P<host>[^/:]+):(?P<path>.*)")
"""git@host:owner/name.git"""


@dataclass(frozen=True, slots=True)
class Repository:
    host: str
    """Lower case; empty: a folder of this host."""
    path: str
    """`owner/name`, without slashes around it and without `.git`."""


def repository_of(address: str) -> Repository:
    """The repository that git would ask for."""
    scp = SCP_ADDRESS.fullmatch(address)
    parts = urlsplit(address)
    host, path = (scp["host"], scp["path"]) if scp else (parts.hostname or "", parts.path)
    return Repository(host.lower(), path.strip("/").removesuffix(".git"))
