"""What git says during a push, packet by packet (gitprotocol-pack), so that more can be said after it. Pure.

    advertisement, 0000, │ the client's commands and pack │ report (band 1), texts (band 2), 0000

git's program ends as soon as a push is stored. The last flush is kept until the log of the deployment has been shown as
further texts: whoever pushes sees one conversation, whatever becomes of git or of the daemon meanwhile.
"""

from __future__ import annotations

LENGTH_DIGITS = 4
FLUSH = b"0000"
LONGEST_PACKET = 65_520
TEXT_BAND, REPORT_BAND = b"\x02", b"\x01"
SIDE_BAND = b"side-band-64k"


class Packets:
    """git's side of a push: whole packets go on, what is torn waits for its rest, the last flush is kept."""

    def __init__(self) -> None:
        self._rest = b""
        self._flushes = 0
        self.has_reported = False
        """Whether the client has been told what became of its branches."""
        self.keeps_flush = False
        """Whether git has said its last."""

    def feed(self, chunk: bytes) -> bytes:
        """What can go on to the client."""
        data, at, ready = self._rest + chunk, 0, []
        while len(data) - at >= LENGTH_DIGITS:
            size = _size(data[at:at + LENGTH_DIGITS])
            if size is None:   # no packets at all: git complains as it likes
                ready.append(data[at:])
                at = len(data)
                break
            if len(data) - at < size:
                break
            packet = data[at:at + size]
            at += size
            if packet == FLUSH:
                self._flushes += 1
                if self._flushes > 1:
                    self.keeps_flush = True
                    continue
            elif self._flushes and packet[LENGTH_DIGITS:LENGTH_DIGITS + 1] == REPORT_BAND and size > LENGTH_DIGITS + 1:
                self.has_reported = True
            ready.append(packet)
        self._rest = data[at:]
        return b"".join(ready)


class Capabilities:
    """What the client says it can, behind a zero byte in its first command; what is shallow stands before that."""

    def __init__(self) -> None:
        self._rest: bytes | None = b""
        self.side_band = False

    def feed(self, chunk: bytes) -> None:
        if self._rest is None:
            return
        data, at = self._rest + chunk, 0
        while len(data) - at >= LENGTH_DIGITS:
            size = _size(data[at:at + LENGTH_DIGITS])
            if size is None or data[at:at + LENGTH_DIGITS] == FLUSH:   # there is no command
                self._rest = None
                return
            if len(data) - at < size:
                break
            _, has, said = data[at + LENGTH_DIGITS:at + size].partition(b"\0")
            at += size
            if has:
                self._rest, self.side_band = None, SIDE_BAND in said.split()
                return
        self._rest = data[at:]


def texts(lines: list[str]) -> bytes:
    """Lines for people as packets of band 2: what `remote:` stands before."""
    data = "".join(f"{line}\n" for text in lines for line in text.splitlines() or [""]).encode(errors="replace")
    longest = LONGEST_PACKET - LENGTH_DIGITS - 1
    cut = [data[at:at + longest] for at in range(0, len(data), longest)]
    return b"".join(f"{len(part) + LENGTH_DIGITS + 1:04x}".encode() + TEXT_BAND + part for part in cut)


def _size(digits: bytes) -> int | None:
    """Of a packet with its length; None: there is none. 1 to 3 are marks without a body, as 0 is."""
    try:
        size = int(digits, 16)
    except ValueError:
        return None
    return max(size, LENGTH_DIGITS)
