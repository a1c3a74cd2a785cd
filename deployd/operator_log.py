"""The operator's log: one line for each event, to standard output, which is journald's or a file.

A line that cannot be written (the file's disk is full, the reader is gone) is lost. Nothing else may fail for that: a
webhook must be answered, and the daemon must live until there is room again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

import structlog


class Unfailing:
    """A text stream that swallows what its file does not take."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):   # ValueError: closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_log(mask: Callable[[str], str] = str) -> None:
    """Tracebacks without the values of variables: structlog shows those by itself, and secrets may be among them.

    Args:
        mask: Takes secrets out of a whole entry: what programs said and what went wrong stands in it too.
    """
    def masked(_logger: Any, _method: str, entry: Any) -> str:
        return mask(entry)

    colors, plain = sys.stdout.isatty(), structlog.dev.plain_traceback
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain),
            masked,
        ],
        logger_factory=structlog.PrintLoggerFactory(Unfailing(sys.stdout)),  # type: ignore[arg-type]
    )
