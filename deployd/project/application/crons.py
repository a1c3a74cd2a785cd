"""`crons` in both forms, and the five fields of a schedule (configuration format 4.13). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.application import Cron
from deployd.project.yaml.nodes import ScalarNode

CRON = Table(
    "crons.<name>",
    (
        Key(
            "spec",
            "five fields",
            "minute, hour, day of month, month, day of week; `H` is a fixed pseudo-random value",
            "required",
        ),
        Key("commands", "mapping", "`start` and `stop`", "required, or `cmd`"),
        Key("cmd", "shell command", "the old form of `commands.start`"),
        Key("shutdown_timeout", "integer, seconds", "between the stop and the kill", "10"),
        Key("timeout", "integer, seconds", "at most 86400", "86400"),
    ),
    noun="a cron",
)
COMMANDS = Table(
    "crons.<name>.commands",
    (
        Key("start", "shell command", "run by dash in the application's root", "required"),
        Key("stop", "shell command", "run when the cron is cancelled", "SIGTERM"),
    ),
    noun="`commands` of a cron",
)
LONGEST_SECONDS = 86_400
LONGEST_SPEC = 300  # characters
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_NICKNAMES = {
    "@hourly": 'write "0 * * * *"',
    "@daily": 'write "0 0 * * *"',
    "@midnight": 'write "0 0 * * *"',
    "@weekly": 'write "0 0 * * 0"',
    "@monthly": 'write "0 0 1 * *"',
    "@yearly": 'write "0 0 1 1 *"',
}
_PART = re.compile(
    r"(?P<range>\*|[Hh](?:\((?P<low>\d+)-(?P<high>\d+)\))?|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?",
    re.ASCII,
)


def read_crons(application: Fields) -> tuple[Cron, ...]:
    found = []
    for name, field in application.entries("crons", dots="write the name without the dot"):
        fields = field.fields(CRON)
        cron = _cron(name, field, fields) if fields is not None else None
        if cron is not None:
            found.append(cron)
    return tuple(found)


def _cron(name: str, field: Field, fields: Fields) -> Cron | None:
    spec_field = fields.require("spec", 'say when it runs, such as `spec: "*/5 * * * *"`')
    spec = spec_field.text() if spec_field else None
    if spec_field is not None and spec is not None:
        problem = spec_problem(spec)
        if problem:
            spec_field.wrong(
                "bad-schedule",
                f"`{shown(spec)}` is not a schedule: {problem}",
                _NICKNAMES.get(spec, "write five fields: minute, hour, day of month, month, day of week"),
            )
    start, stop = _commands(fields)
    shutdown = fields.integer("shutdown_timeout", 0, LONGEST_SECONDS, "seconds")
    timeout = fields.integer("timeout", 1, LONGEST_SECONDS, "seconds")
    if spec is None or start is None:
        return None
    return Cron(name, spec, start, stop, 10 if shutdown is None else shutdown, timeout or LONGEST_SECONDS, field.place)


def _commands(fields: Fields) -> tuple[str | None, str | None]:
    commands, old = fields.get("commands"), fields.get("cmd")
    if commands is None and old is None:
        fields.require("commands", "add `commands: {start: …}`")
        return None, None
    if commands is None:
        assert old is not None
        old.warn_name("deprecated", "`cmd` of a cron is the old form", "write `commands: {start: …}`")
        return old.text(), None
    if old is not None:
        old.wrong_name(
            "not-together", "`cmd` is the old form of `commands` and cannot stand beside it", "keep `commands`"
        )
    if isinstance(commands.node, ScalarNode):
        start = commands.text()
        if start is not None:
            commands.warn(
                "string-commands",
                "`commands` of a cron is a mapping, the text is taken as its `start`",
                "write `commands: {start: …}`; the hosted platforms may refuse this",
            )
        return start, None
    inner = commands.fields(COMMANDS)
    if inner is None:
        return None, None
    start_field = inner.require("start", "say what the cron runs")
    return (start_field.text() if start_field else None), inner.text("stop")


def spec_problem(spec: str) -> str | None:
    """What is wrong with a schedule; None when nothing is."""
    if len(spec) > LONGEST_SPEC:
        return f"it has {len(spec):,} characters"
    parts = spec.split()
    if len(parts) != 5:
        return f"it has {len(parts)} field{'' if len(parts) == 1 else 's'}, not 5"
    for text, (name, least, most, words) in zip(parts, _FIELDS, strict=True):
        for part in text.split(","):
            found = _PART.fullmatch(part)
            problem = _part_problem(found, least, most, words) if found else f"`{shown(part)}` is not understood"
            if problem:
                return f"{name}: {problem}"
    return None


def _part_problem(found: re.Match[str], least: int, most: int, words: tuple[str, ...]) -> str | None:
    numbers = []
    for group in ("first", "last", "low", "high"):
        text = found[group]
        if text is None:
            continue
        if text.lower()[:3] in words and text.isalpha():
            numbers.append(words.index(text.lower()[:3]) + (1 if most == 12 else 0))
        elif not text.isdigit():
            return f"`{shown(text)}` is not understood"
        elif not least <= int(text[:6]) <= most:
            return f"{text} is not between {least} and {most}"
        else:
            numbers.append(int(text))
    if len(numbers) == 2 and numbers[0] > numbers[1] and found["low"] is None and not words:
        return f"the range {found['first']}-{found['last']} runs backwards"
    if found["step"] is not None and not 1 <= int(found["step"][:6]) <= most:
        return f"a step of {found['step']} is not between 1 and {most}"
    return None
