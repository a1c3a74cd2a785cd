"""Both output streams of a program in one, in frames: kind, length, bytes; as Docker sends them. Pure."""

from __future__ import annotations

import struct

HEADER = struct.Struct(">BxxxL")
STREAMS = {0: "stdin", 1: "stdout", 2: "stderr"}


class FrameReader:
    """Chunks in, (stream, bytes) out; a frame may come in many chunks and a chunk hold many frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        self._rest += chunk
        frames = []
        start = 0
        while len(self._rest) - start >= HEADER.size:
            kind, length = HEADER.unpack_from(self._rest, start)
            end = start + HEADER.size + length
            if len(self._rest) < end:
                break
            frames.append((STREAMS.get(kind, "stdout"), bytes(self._rest[start + HEADER.size:end])))
            start = end
        del self._rest[:start]
        return frames


def frame(stream: str, data: bytes) -> bytes:
    """What `FrameReader` reads."""
    return HEADER.pack({"stdout": 1, "stderr": 2}[stream], len(data)) + data
