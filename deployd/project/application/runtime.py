"""`runtime`: settings of the language (configuration format 4.15). Pure.

The tables are PHP's, the only language with documented ones; which extensions there are says the row of the runtime.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployd.project.application.variables import INI_NAME
from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import nearest, shown
from deployd.project.model.application import Extension, Runtime
from deployd.project.model.json import Json
from deployd.project.offered.runtime_type import Extensions, State
from deployd.project.offered.runtimes import runtime_type
from deployd.project.yaml.nodes import MapNode

RUNTIME = Table(
    "runtime",
    (
        Key("extensions", "list of names or `{name, configuration}`", "switched on", "`[]`"),
        Key("disabled_extensions", "list of names", "switched off", "`[]`"),
        Key("request_terminate_timeout", "integer, seconds", "PHP-FPM's own limit of a request", "none"),
        Key("sizing_hints", "mapping", "how many PHP-FPM workers fit into the memory"),
        Key(
            "xdebug",
            "mapping: `idekey`",
            "a second pool with Xdebug is not started",
            treatment="warned",
            hint="list `xdebug` under `extensions`",
        ),
    ),
    noun="`runtime` of PHP",
)
SIZING = Table(
    "runtime.sizing_hints",
    (
        Key("request_memory", "integer, MB", "of one worker, at least 10", "45"),
        Key("reserved_memory", "integer, MB", "of everything else, at least 70", "70"),
    ),
    noun="`sizing_hints`",
)
XDEBUG = Table("runtime.xdebug", (Key("idekey", "string", treatment="noted"),), noun="`xdebug`")
EXTENSION = Table(
    "runtime.extensions[]",
    (
        Key("name", "name of an extension", default="required"),
        Key("configuration", "mapping", "settings of the extension", "`{}`"),
    ),
    noun="an extension",
)


@dataclass(frozen=True, slots=True)
class _Language:
    title: str
    version: str
    extensions: Extensions

    def __str__(self) -> str:
        return f"{self.title} {self.version}"

    def state(self, extension: str) -> State | None:
        return self.extensions.state(extension, self.version)


def read_runtime(field: Field | None, runtime: str, version: str) -> Runtime:
    known = runtime_type(runtime)
    if field is None:
        return Runtime()
    if known.extensions is None:
        return _of_other_languages(field, runtime)
    language = _Language(known.title, version, known.extensions)
    fields = field.fields(RUNTIME)
    if fields is None:
        return Runtime()
    sizing = fields.fields("sizing_hints", SIZING)
    xdebug = fields.fields("xdebug", XDEBUG)
    disabled = fields.get("disabled_extensions")
    return Runtime(
        extensions=_extensions(fields.get("extensions"), language),
        disabled_extensions=_disabled(disabled, language) if disabled else (),
        request_terminate_timeout_seconds=fields.integer("request_terminate_timeout", 0, 86_400, "seconds"),
        request_memory_mb=(sizing.integer("request_memory", 10, 100_000, "MB") if sizing else None) or 45,
        reserved_memory_mb=(sizing.integer("reserved_memory", 70, 100_000, "MB") if sizing else None) or 70,
        xdebug_idekey=xdebug.text("idekey") if xdebug else None,
    )


def _of_other_languages(field: Field, runtime: str) -> Runtime:
    found = {}
    for name, entry in field.entries():
        entry.warn_name(
            "not-honoured",
            f"`runtime.{shown(name)}` has no effect: no setting of {runtime or 'this runtime'} is documented",
            "remove it",
        )
        found[name] = entry.json()
    return Runtime(other=found)


def _extensions(field: Field | None, language: _Language) -> tuple[Extension, ...]:
    found = []
    for item in field.items() if field else []:
        name: str | None
        configuration = {}
        at = item
        if isinstance(item.node, MapNode):
            fields = item.fields(EXTENSION)
            assert fields is not None
            name_field = fields.require("name", "say which extension")
            name = name_field.text() if name_field else None
            at = name_field or item
            configuration = _configuration(fields, language)
        else:
            name = item.text()
        if name is not None and _is_usable(at, name, language):
            found.append(Extension(name, configuration))
    return tuple(found)


def _configuration(fields: Fields, language: _Language) -> dict[str, Json]:
    found = {}
    for name, entry in fields.entries("configuration"):
        if INI_NAME.fullmatch(name):
            found[name] = entry.json()
        else:
            what = f"`{shown(name)}` cannot be the name of a setting of {language.title}"
            entry.wrong_name("bad-name", what, "write one like `memory_limit`")
    return found


def _disabled(field: Field, language: _Language) -> tuple[str, ...]:
    for item in field.items():
        state = language.state(item.raw)
        if item.raw and state not in ("default", "available"):
            what = f"{language} has no extension `{shown(item.raw)}` to switch off"
            if state == "built-in":
                what = f"`{shown(item.raw)}` is part of {language} and cannot be switched off"
            item.warn("not-honoured", what, "remove it")
    return field.texts()


def _is_usable(field: Field, name: str, language: _Language) -> bool:
    state = language.state(name)
    if state == "built-in":
        field.warn(
            "extension-built-in",
            f"`{name}` is part of {language} and always there",
            "remove it; the hosted platforms refuse it",
        )
        return False
    if state in ("default", "available"):
        return True
    near = nearest(name, language.extensions.names(language.version))
    field.wrong(
        "no-such-extension",
        f"{language} has no extension `{shown(name)}`",
        f"did you mean `{near}`?" if near else f"remove it, or choose a version of {language.title} that has it",
    )
    return False
