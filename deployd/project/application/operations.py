"""`operations`, `source.operations`, `preflight` (configuration format 4.16). Pure."""

from __future__ import annotations

from deployd.project.application.instance import ROLES
from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.model.application import Operation, Preflight

SOURCE_OPERATION = Table(
    "source.operations.<name>", (Key("command", "shell command", "runs in a clone of the branch", "required"),),
    noun="a source operation",
)
OPERATION = Table(
    "operations.<name>",
    (
        Key("commands", "mapping", "what it runs", "required"),
        Key("role", "`viewer`, `contributor` or `admin`", "the least role that runs it", "`contributor`"),
        Key("timeout", "integer, seconds", "after which it is ended, a day at most", "3600"),
    ),
    noun="an operation",
)
OPERATION_COMMANDS = Table(
    "operations.<name>.commands",
    (
        Key("start", "shell command", "runs in the application's container", "required"),
        Key("stop", "shell command", "runs when it is cancelled or overran; else it gets SIGTERM"),
    ),
    noun="`commands` of an operation",
)
PREFLIGHT = Table(
    "preflight",
    (
        Key("enabled", "boolean", default="required", treatment="noted"),
        Key("ignored_rules", "list of strings", default="`[]`", treatment="noted"),
        Key("ignore_rules", "list of strings", "the older spelling", "`[]`", treatment="noted"),
    ),
    noun="`preflight`",
)


def read_source_operations(source: Fields | None) -> dict[str, str]:
    """{name: command}"""
    found = {}
    for name, field in source.entries("operations") if source else []:
        operation = field.fields(SOURCE_OPERATION)
        command = operation.require("command", "say what it runs") if operation else None
        text = command.text() if command else None
        if text is not None:
            found[name] = text
    return found


def read_operations(fields: Fields) -> tuple[Operation, ...]:
    found = []
    for name, field in fields.entries("operations"):
        operation = field.fields(OPERATION)
        if operation is None:
            continue
        operation.require("commands", "add `commands: {start: …}`")
        commands = operation.fields("commands", OPERATION_COMMANDS)
        start = commands.require("start", "say what it runs") if commands else None
        role_field = operation.get("role")
        role = (role_field.one_of(ROLES) if role_field else None) or "contributor"
        timeout = operation.integer("timeout", 1, 86_400, "seconds")
        text = start.text() if start else None
        if text is not None and commands is not None:
            found.append(Operation(name, text, commands.text("stop"), role, timeout))
    return tuple(found)


def read_preflight(fields: Fields) -> Preflight:
    preflight = fields.fields("preflight", PREFLIGHT)
    if preflight is None:
        return Preflight()
    preflight.require("enabled", "write `enabled: true` or `enabled: false`")
    return Preflight(
        preflight.boolean("enabled", True), (*preflight.texts("ignored_rules"), *preflight.texts("ignore_rules"))
    )
