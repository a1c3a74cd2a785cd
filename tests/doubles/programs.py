"""What a command does in the engine's double, in which nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deployd.engine.specs import RunAs

KILLED = 137


@dataclass(frozen=True, slots=True)
class Program:
    """A command that prints at once, and ends after its time or when it is told to."""

    stdout: str = ""
    stderr: str = ""
    seconds: float | None = 0.0
    """None: until somebody ends it."""
    status: int = 0
    on_signal: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """{signal: (what it prints, the status with which it ends)}; of another one it dies, as programs do."""
    ignores: frozenset[str] = frozenset()
    listens: frozenset[int | str] = frozenset()
    """Ports and paths of Unix sockets."""
    fills_memory: bool = False


Run = Callable[[RunAs, bytes], Program]
"""What a command does when it depends on who runs it, or on its input."""
WAITS, ENDS = Program(seconds=None), Program()
"""What nobody told the double: a container runs on, a command in it is done at once."""
SIGNALS = {"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGKILL": 9, "SIGUSR1": 10, "SIGTERM": 15}


def status_of(signal: str) -> int:
    """128 and the signal's number, as shells count."""
    return 128 + SIGNALS[signal]
