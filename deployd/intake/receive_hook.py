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

QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
ACCEPTED, REFUSED = "accepted", "refused"


def main() -> int:
    hook, path = sys.argv[1], sys.argv[2]
    asked = {
        "project": os.environ.get("DEPLOYD_PROJECT", ""),
        "who": os.environ.get("DEPLOYD_WHO", ""),
        "updates": [line.split() for line in sys.stdin.read().splitlines()],
        "options": [os.environ.get(f"GIT_PUSH_OPTION_{number}", "")
                    for number in range(int(os.environ.get("GIT_PUSH_OPTION_COUNT", "0") or 0))],
        "env": {name: os.path.abspath(os.environ[name]) for name in QUARANTINE if name in os.environ},
    }
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        print("deployd is not running: nothing can be deployed now, push again when it is back")
        return 1
    body = json.dumps(asked).encode()
    connection.sendall(
        f"POST /internal/receive/{hook} HTTP/1.0\r\nHost: deployd\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
    answer = connection.makefile("rb")
    status = answer.readline().split()
    while answer.readline().strip():
        pass
    verdict = ""
    for raw in answer:
        line = json.loads(raw)
        if "verdict" in line:
            verdict = line["verdict"]
        elif "line" in line:
            print(line["line"], flush=True)
    if verdict or not status or status[1] != b"200":
        return 0 if verdict == ACCEPTED else 1
    if hook == "pre-receive":
        print("deployd stopped while it looked at the push: nothing was changed, push again")
        return 1
    print("deployd was stopped or restarted; the deployment goes on: `deployd log -f` shows it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
