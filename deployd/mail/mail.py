"""A mail as it lies in a box: what its envelope said, and what becomes of it. Pure.

The message itself lies beside it, byte for byte as it came. Nothing that an application wrote is taken for true here:
of whom a mail is, is known by the network that it came from.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header

KEPT, WAITS, REFUSED = "kept", "waits", "refused"
STATES = (KEPT, WAITS, REFUSED)
LONGEST_SUBJECT = 200
LONGEST_WHY = 500
MOST_RECIPIENTS = 100
"""RFC 5321 4.5.3.1.8: the least that must be taken; a client sends the rest in another transaction."""
HEAD_BYTES = 65_536
SUBJECT_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Mail:
    """The note beside a message."""

    id: int
    at: float
    """When it came: seconds since 1970."""
    sender: str
    """Of the envelope; empty: nobody, as in notes about mails that came back."""
    recipients: tuple[str, ...]
    """Who has not got it: the envelope's, less those to whom the relay took it."""
    size_bytes: int
    subject: str
    state: str = KEPT
    """`kept` in the box; `waits` for the relay; `refused` by the relay, or not delivered in time."""
    why: str = ""
    tries: int = 0
    again_at: float = 0.0
    """When it is tried again, of one that waits."""


def write_note(mail: Mail) -> bytes:
    return json.dumps(asdict(mail)).encode()


def parse_note(data: bytes) -> Mail | None:
    """None: it is no note of ours; who writes them speaks with strangers."""
    try:
        found = json.loads(data)
        texts = [found["sender"], found["subject"], found["state"], found["why"], *found["recipients"]]
        if found["state"] not in STATES or not all(isinstance(item, str) for item in texts):
            return None
        "".join(texts).encode()   # halves of characters would break every page that shows them
        return Mail(
            int(found["id"]), float(found["at"]), found["sender"], tuple(found["recipients"])[:MOST_RECIPIENTS],
            int(found["size_bytes"]), found["subject"][:LONGEST_SUBJECT], found["state"], found["why"][:LONGEST_WHY],
            int(found["tries"]), float(found["again_at"]),
        )
    except (ValueError, LookupError, TypeError, RecursionError, OverflowError):
        return None


def subject_of(head: bytes) -> str:
    """The subject as people read it, out of the first bytes of a message; empty when there is none."""
    found = _header(head, b"subject")[:SUBJECT_BYTES].decode(errors="replace")
    try:
        text = str(make_header(decode_header(found)))
    except (HeaderParseError, LookupError, ValueError):
        text = found
    text = text.encode(errors="replace").decode()   # UTF-7 may give halves of characters, which no page can show
    return " ".join(text.split())[:LONGEST_SUBJECT]


def _header(head: bytes, name: bytes) -> bytes:
    """The first header of a name, unfolded. Not `email`: it would parse all of what a stranger wrote."""
    found: list[bytes] = []
    for line in head.split(b"\n", 2_000)[:2_000]:
        if not line.rstrip(b"\r"):
            break
        if found:
            if line[:1] not in b" \t":
                break
            found.append(line.strip())
        elif line[:len(name) + 1].lower() == name + b":":
            found.append(line[len(name) + 1:].strip())
    return b" ".join(found)
