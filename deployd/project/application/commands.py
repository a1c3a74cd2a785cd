"""`commands` of the web instance and of workers (configuration format 4.8 and 4.14). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.model.application import Commands

COMMANDS = Table(
    "web.commands",
    (
        Key("start", "shell command", "the long-running process, run by dash; restarted when it ends", "PHP: PHP-FPM"),
        Key("pre_start", "shell command", "once before each start"),
        Key("post_start", "shell command", "after the start, before the router sends requests"),
    ),
    noun="`commands`",
)
_BACKGROUND = re.compile(r"(?<![&|>])&\s*$")


def read_commands(fields: Fields, *, start_needed: bool, table: Table) -> Commands:
    """Commands of the web instance or of a worker."""
    commands = fields.fields("commands", table)
    if commands is None:
        return Commands()
    start_field = (
        commands.require("start", "say which command starts the process") if start_needed else commands.get("start")
    )
    start = start_field.text() if start_field else None
    if start_field is not None and start is not None and _BACKGROUND.search(start.rstrip()):
        start_field.warn(
            "background-process",
            "the command ends in `&`, so it seems to end at once and is started again and again",
            "remove the `&`; the process must stay in the foreground",
        )
    post_start = commands.text("post_start") if table.key("post_start") else None
    return Commands(start, commands.text("pre_start"), post_start)
