"""What git runs when a push arrives: `pre-receive` asks the daemon whether it may, `post-receive` shows its log.

A program of its own, started as `python -I -S receive_hook.py pre-receive SOCKET`: it uses nothing but the standard
library and imports nothing of ours, because it starts with every push and must do so in milliseconds.
Whatever it prints, the pusher reads behind `remote:`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
ACCEPTED, REFUSED = "accepted", "refused"
BEFORE = "pre-receive"
NOT_RUNNING = {
    True: "deployd is not running: nothing can be deployed now and nothing was changed, push again when it is back",
    False: "deployd is not running: the branch is stored, and is deployed when deployd is back",
}
CUT = {
    True: "deployd stopped while it looked at the push: nothing was changed, push again",
    False: "deployd was stopped or restarted; the deployment goes on: `deployd log -f` shows it",
}
"""By whether it is asked before the push is accepted."""


def main() -> int:
    hook, path = sys.argv[1], sys.argv[2]
    before = hook == BEFORE
    try:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
    except OSError:
        print(NOT_RUNNING[before])
        return 1
    try:
        for message in _ask(connection, hook):
            if "verdict" in message:
                return 0 if message["verdict"] == ACCEPTED else 1
            print(message["line"], flush=True)
    except (OSError, ValueError):   # cut off, maybe in the middle of a line
        pass
    print(CUT[before])
    return 1


def _ask(connection: socket.socket, hook: str) -> Iterator[dict[str, Any]]:
    """The daemon's answers, as they come: lines, and at the end the verdict."""
    body = json.dumps({
        "project": os.environ.get("DEPLOYD_PROJECT", ""),
        "who": os.environ.get("DEPLOYD_WHO", ""),
        "updates": [line.split() for line in sys.stdin.read().splitlines()],
        "options": [os.environ.get(f"GIT_PUSH_OPTION_{number}", "")
                    for number in range(int(os.environ.get("GIT_PUSH_OPTION_COUNT", "0") or 0))],
        "env": {name: os.path.abspath(os.environ[name]) for name in QUARANTINE if name in os.environ},
    }).encode()
    connection.sendall(
        f"POST /internal/receive/{hook} HTTP/1.0\r\nHost: deployd\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
    answer = connection.makefile("rb")
    status = answer.readline().split()
    while answer.readline().strip():
        pass
    if status[1:2] != [b"200"]:
        yield from _error(json.loads(answer.read()), hook == BEFORE)
        return
    for raw in answer:
        yield json.loads(raw)


def _error(error: dict[str, Any], before: bool) -> Iterator[dict[str, Any]]:
    """An error of the daemon, as everywhere: what, evidence, mend."""
    yield {"line": error["what"]}
    for line in error.get("evidence", ()):
        yield {"line": f"| {line}"}
    if error.get("mend"):
        yield {"line": f"mend: {error['mend']}"}
    yield {"line": "nothing was changed" if before else "the branch is stored, but it is not deployed"}
    yield {"verdict": REFUSED}


if __name__ == "__main__":
    sys.exit(main())
