"""What git runs when a push arrives: `pre-receive` asks the daemon whether it may, `post-receive` shows its log.

A program of its own, started as `python -I -S receive_hook.py pre-receive SOCKET`. It imports nothing of ours and next
to nothing of the standard library, because it starts twice with every push: 9 ms each time, 26 with `socket`, `json`
and `typing`. `_socket` is what `socket` itself stands on. Whatever it prints, the pusher reads behind `remote:`.

    we say     project NAME, who NAME, by TEXT, address TEXT, session WORD,
               update OLD NEW REF, option TEXT, env NAME PATH
               with zero bytes between them: a pusher's option may hold everything else
    we hear    >TEXT, a line for the pusher, and at the end =accepted or =refused        a line each
"""

from __future__ import annotations

import _socket
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
ACCEPTED, REFUSED = "accepted", "refused"
SHOWN, VERDICT = ">", "="
BEFORE = "pre-receive"
RECEIVE_BYTES = 65_536
MOST_REFS = 2_000
TOO_MANY_REFS = f"a push may have {MOST_REFS} branches and tags: nothing was changed, push them in parts"
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
    updates = os.fsdecode(sys.stdin.buffer.read()).split("\n")[:-1]   # `splitlines` knows more ends than git does
    if before and len(updates) > MOST_REFS:
        print(TOO_MANY_REFS)
        return 1
    # To ask once more whether a push may be accepted harms nobody: a daemon that reads its settings again cuts us off.
    for _ in range(1 + before):
        try:
            connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
            connection.connect(path)
        except OSError:
            print(NOT_RUNNING[before])
            return 1
        try:
            connection.sendall(_request(hook, updates))
            for line in _answers(connection, before):
                if line in (VERDICT + ACCEPTED, VERDICT + REFUSED):
                    return 0 if line == VERDICT + ACCEPTED else 1
                if line.startswith(SHOWN):
                    print(line[1:], flush=True)
        except (OSError, ValueError):   # cut off
            pass
    print(CUT[before])
    return 1


def _request(hook: str, updates: list[str]) -> bytes:
    count = int(os.environ.get("GIT_PUSH_OPTION_COUNT", "0") or 0)
    said = [
        f"project {os.environ.get('DEPLOYD_PROJECT', '')}",
        f"who {os.environ.get('DEPLOYD_WHO', '')}",
        f"by {os.environ.get('DEPLOYD_BY', '')}",
        f"address {os.environ.get('DEPLOYD_ADDRESS', '')}",
        f"session {os.environ.get('DEPLOYD_SESSION', '')}",
        *(f"update {line}" for line in updates),
        *(f"option {os.environ.get(f'GIT_PUSH_OPTION_{number}', '')}" for number in range(count)),
        *(f"env {name} {os.path.abspath(os.environ[name])}" for name in QUARANTINE if name in os.environ),
    ]
    body = os.fsencode("\0".join(said))
    return (
        f"POST /internal/receive/{hook} HTTP/1.0\r\nHost: deployd\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def _answers(connection: _socket.socket, before: bool) -> Iterator[str]:
    """The daemon's lines, as they come."""
    lines = _lines(connection)
    status = next(lines, "").split()
    while next(lines, ""):
        pass   # the other headers
    if status[1:2] == ["200"]:
        yield from lines
    elif status:
        yield from _error("\n".join(lines), before)


def _lines(connection: _socket.socket) -> Iterator[str]:
    rest = b""
    while chunk := connection.recv(RECEIVE_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")


def _error(body: str, before: bool) -> Iterator[str]:
    """An error of the daemon, as everywhere: what, evidence, hint."""
    import json  # only here, where nobody is in a hurry

    error = json.loads(body)
    yield SHOWN + error["what"]
    for line in error.get("evidence", ()):
        yield f"{SHOWN}| {line}"
    if error.get("hint"):
        yield f"{SHOWN}hint: {error['hint']}"
    yield SHOWN + ("nothing was changed" if before else "the branch is stored, but it is not deployed")
    yield VERDICT + REFUSED


if __name__ == "__main__":
    sys.exit(main())
