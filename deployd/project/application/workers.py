"""`workers`: processes of an application that nobody reaches over HTTP (configuration format 4.14). Pure."""

from __future__ import annotations

import re

from deployd.project.application.commands import COMMANDS as WEB_COMMANDS
from deployd.project.application.commands import read_commands
from deployd.project.application.instance import INSTANCE_KEYS, Scope, read_instance
from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.application import Worker
from deployd.project.relationship_targets import Targets

_OF_THE_APPLICATION = ("build", "dependencies", "crons", "hooks", "web", "runtime", "type", "source", "name", "workers")
WORKER = Table(
    "workers.<name>",
    (Key("commands", "mapping", "the process", "required"), *INSTANCE_KEYS),
    noun="a worker",
    elsewhere={
        name: f"write `{name}` at the top level: a worker shares the application's slug and has no HTTP"
        for name in _OF_THE_APPLICATION
    },
)
COMMANDS = Table("workers.<name>.commands", WEB_COMMANDS.keys, noun="`commands` of a worker")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", re.ASCII)


def read_workers(application: Fields, targets: Targets) -> tuple[Worker, ...]:
    found = []
    for name, field in application.entries("workers"):
        if not _NAME.fullmatch(name):
            field.wrong_name(
                "bad-name", f"`{shown(name)}` cannot be the name of a worker", "use letters, digits, `-` and `_`"
            )
        fields = field.fields(WORKER)
        if fields is None:
            continue
        fields.require("commands", "add `commands: {start: …}`")
        commands = read_commands(fields, start_needed=True, table=COMMANDS)
        timezone = fields.get("timezone")
        if timezone is not None:
            timezone.warn_name(
                "not-honoured",
                "`timezone` has no effect here: it is for the schedules of crons, and workers have none",
                "remove it; for the process itself set `TZ` under `variables: {env: …}`",
            )
        found.append(Worker(name, read_instance(Scope(fields, application), commands, targets), field.place))
    return tuple(found)
