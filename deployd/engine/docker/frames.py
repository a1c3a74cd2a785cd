"""Docker sends both streams of a process in one, in frames: kind, length, bytes. Pure."""

from __future__ import annotations

import struct
from collections import deque

from deployd.process import LineCutter

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


class FrameLines:
    """Chunks in, lines of both streams out: (stream, text). Very long lines are cut with a mark."""

    def __init__(self) -> None:
        self._frames = FrameReader()
        self.ready: deque[tuple[str, str]] = deque()
        self._cutters = {stream: self._cutter(stream) for stream in STREAMS.values()}

    def feed(self, chunk: bytes) -> None:
        for stream, data in self._frames.feed(chunk):
            self._cutters[stream].feed(data)

    def end(self) -> None:
        for cutter in self._cutters.values():
            cutter.end()

    def _cutter(self, stream: str) -> LineCutter:
        return LineCutter(lambda text: self.ready.append((stream, text)))
