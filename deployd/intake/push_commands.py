"""What a push begins with: a line for each branch and tag, up to an empty one (gitprotocol-pack). Pure."""

from __future__ import annotations

COMMANDS_BYTES = 4_000_000
"""Of the lines of one push: some 20,000, ten times as many as are taken."""
LENGTH_DIGITS = 4
"""Begin each line of git's protocol; they count themselves. Fewer than that, and it is no line but a mark."""


class PushCommands:
    """Counts them as they come: git keeps them all in memory before a hook can, and two million took 700 MB."""

    def __init__(self) -> None:
        self._rest = b""
        self._size = 0
        self._ended = False

    def are_too_many(self, chunk: bytes) -> bool:
        """
        Args:
            chunk: What comes next of the request.
        """
        if self._ended:
            return False
        self._rest += chunk
        while len(self._rest) >= LENGTH_DIGITS:
            try:
                size = int(self._rest[:LENGTH_DIGITS], 16)
            except ValueError:   # git itself says what it thinks of it
                size = 0
            if size < LENGTH_DIGITS:
                self._ended, self._rest = True, b""
            elif len(self._rest) < size:
                break
            else:
                self._rest, self._size = self._rest[size:], self._size + size
        return self._size + len(self._rest) > COMMANDS_BYTES
