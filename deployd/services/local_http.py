"""Asks a service over HTTP from inside its container. In bash, because an image need not have an HTTP client."""

from __future__ import annotations

import json
from typing import Any

from deployd.services.family import Execute

# The first line that it reads is user and password in base64, or empty.
ASK = """\
read -r login; exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET %s HTTP/1.0\\r\\n' "$2" >&3; [ -z "$login" ] || printf 'Authorization: Basic %s\\r\\n' "$login" >&3
printf 'Connection: close\\r\\n\\r\\n' >&3; cat <&3"""


def answers(port: int, path: str, statuses: tuple[int, ...] = (200,)) -> str:
    """Command of bash that ends with 0 when a request is answered with one of the statuses."""
    alternatives = "|".join(f"*' {status} '*" for status in statuses)
    return (f"(exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1\n"
            f"printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; read -r -t 10 line <&3\n"
            f'case "$line" in {alternatives}) ;; *) exit 1 ;; esac)')


async def ask(execute: Execute, port: int, path: str, login: str = "") -> tuple[int, Any]:
    """(status, mapping of JSON) that the service answers; 0 and {} when it is no answer.

    Args:
        path: With its query, quoted as in a URL.
        login: `user:password` in base64; empty: it asks for none.
    """
    answer = await execute(("bash", "-c", ASK, "bash", str(port), path), f"{login}\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    return status, found if isinstance(found, dict) else {}
