"""Lines of both streams of a process, out of the frames in which Docker sends them. Pure."""

from __future__ import annotations

from collections import deque

from deployd.frames import STREAMS, FrameReader
from deployd.process import LineCutter


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
