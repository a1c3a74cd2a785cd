"""What somebody over SSH asks for, out of the values of a question: `deployd-ssh` speaks with strangers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deployd.access.caller import Caller
from deployd.access.directory import Directory
from deployd.access.errors import Unauthorized
from deployd.engine.specs import TerminalSize
from deployd.errors import Unusable
from deployd.inside.command_lines import variables

LONGEST_NAME = 200
LONGEST_COMMAND = 60_000
MOST_COLUMNS = 1_000
KINDS = ("shell", "command", "sftp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Where somebody wants to go, and for what."""

    project: str
    environment: str
    part: str
    kind: str = "tunnel"
    command: str = ""
    terminal: TerminalSize | None = None
    variables: dict[str, str] = field(default_factory=dict)
    address: str = ""
    connection: str = ""


def caller_of(directory: Directory, values: dict[str, Any]) -> Caller:
    """
    Raises:
        Unauthorized: The key is nobody's, or not any more.
    """
    try:
        key = bytes.fromhex(str(values.get("key", "")))
    except ValueError:
        key = b""
    found = directory.by_key(key, str(values.get("address", ""))[:LONGEST_NAME])
    if found is None:
        raise Unauthorized("your key is not known here any more", hint="ask who looks after this host")
    return found


def read_wanted(values: dict[str, Any]) -> Wanted:
    """Names are cut to what they may be, and found nowhere then.

    Raises:
        Unusable: The command is too long.
    """
    def text(name: str, longest: int = LONGEST_NAME) -> str:
        return str(values.get(name, ""))[:longest]

    kind, term = text("kind"), text("term")
    env = values.get("env")
    return Wanted(
        project=text("project"), environment=text("environment"), part=text("worker"),
        kind=kind if kind in KINDS else "tunnel", command=_command(values),
        terminal=_size(values.get("columns"), values.get("rows")) if term else None,
        variables=variables(env if isinstance(env, dict) else {}, term),
        address=text("address"), connection=text("connection"),
    )


def _command(values: dict[str, Any]) -> str:
    """Whole, or none: half a command may do something else."""
    command = str(values.get("command", ""))
    if len(command) > LONGEST_COMMAND:
        raise Unusable(f"a command has {LONGEST_COMMAND:,} characters at most", hint="send a longer one as its input")
    return command


def read_size(values: dict[str, Any]) -> TerminalSize:
    return _size(values.get("columns"), values.get("rows"))


def _size(columns: object, rows: object) -> TerminalSize:
    """What is no size is an ordinary one's."""
    return TerminalSize(_number(columns, 80), _number(rows, 24))


def _number(value: object, usual: int) -> int:
    return min(value, MOST_COLUMNS) if isinstance(value, int) and value > 0 else usual
