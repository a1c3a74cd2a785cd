"""`.deployd.yaml`: what a release has to pass before it counts, and how often applications run. Pure.

The file is deployd's own, at the repository's root; what the hosted platforms read is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import guess, shown
from deployd.project.model.application import Application
from deployd.project.model.checks import CHECKS_FILE, Checks, SmokeTest
from deployd.project.tree.files import Files

MOST_INSTANCES = 8
DOCUMENT = Table(
    ".deployd.yaml",
    (
        Key("checks", "mapping", "see below"),
        Key("instances", "mapping of application to integer",
            f"how often its web part runs side by side in production; 1 to {MOST_INSTANCES}", "1"),
    ),
    noun="`.deployd.yaml`",
)
CHECKS = Table(
    "checks",
    (
        Key("smoke", "mapping", "smoke tests by their names, 20 at most"),
        Key("watch_seconds", "integer, seconds", "how long a new version is watched after the switch; 5 to 1800", "60"),
        Key("on_bad_release", "`report` or `revert`", "what becomes of one that is bad", "`report`"),
        Key("types", "list of strings", "for which environments: `production`, `staging`, `development`", "all"),
    ),
    noun="`checks`",
)
SMOKE = Table(
    "checks.smoke.<name>",
    (
        Key("path", "string", "what is asked for, with its query; of the environment's own routes", "or `command`"),
        Key("method", "`GET`, `HEAD`, `POST`, `OPTIONS`", "it is asked again and again: it should change nothing",
            "`GET`"),
        Key("host", "string", "one of the routes' hosts, as `www.{default}`", "that of the first URL"),
        Key("headers", "mapping of strings", "that are sent"),
        Key("body", "string", "that is sent"),
        Key("command", "shell command", "run in the application's container, in its root", "or `path`"),
        Key("app", "string", "the application in whose container", "the first one"),
        Key("status", "integer or list", "what must come back", "200 to 399; of a command 0"),
        Key("contains", "string", "stands in the body, or in what the command prints"),
        Key("matches", "regular expression", "is found there; one that takes more than a second counts as not found"),
        Key("answer_headers", "mapping of strings", "what headers of the answer contain"),
        Key("timeout", "integer, seconds", "1 to 60", "10"),
        Key("before_switch", "boolean", "it is also asked of the new version while visitors see the one before",
            "false"),
    ),
    noun="a smoke test",
)
MOST_TESTS, MOST_HEADERS = 20, 20
LONGEST_TEXT, LONGEST_COMMAND, LONGEST_PATTERN = 1_000, 10_000, 500
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)
PATH = re.compile(r"/(?!/)[\x21-\x7e]{0,1999}")
HOST = re.compile(r"[A-Za-z0-9._{}-]{1,253}")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
HEADERS_OF_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"})
METHODS = ("GET", "HEAD", "POST", "OPTIONS")


def read_own_file(
    files: Files, applications: list[Application], *, complete: bool,
) -> tuple[Checks, Mapping[str, int]]:
    """Its checks, and {application: how many instances of it}.

    Args:
        complete: All applications could be read, so one that is not there is none.
    """
    document = files.document(CHECKS_FILE) if CHECKS_FILE in files.config_paths else None
    whole = Field(document, "", files.findings).fields(DOCUMENT) if document is not None else None
    if whole is None:
        return Checks(), {}
    names = frozenset(app.name for app in applications)
    return _checks(whole, names, complete), _instances(whole, names if complete else frozenset())


def _instances(whole: Fields, names: frozenset[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name, field in whole.entries("instances"):
        if names and name not in names:
            field.wrong_name("not-allowed", f"there is no application `{shown(name)}`", guess(name, sorted(names)))
        elif (number := field.integer(1, MOST_INSTANCES)) is not None:
            found[name] = number
    return found


def _checks(whole: Fields, names: frozenset[str], complete: bool) -> Checks:
    found = whole.fields("checks", CHECKS)
    if found is None:
        return Checks()
    tests = [_test(name, field, names if complete else frozenset()) for name, field in found.entries(
        "smoke", dots="write the name without the dot",
    )]
    if len(tests) > MOST_TESTS and (field := found.get("smoke")):
        field.wrong("too-large", f"there are {len(tests)} smoke tests, at most {MOST_TESTS} are allowed", "remove some")
    return Checks(
        tuple(test for test in tests[:MOST_TESTS] if test is not None),
        found.integer("watch_seconds", 5, 1800, "seconds"),
        _one_of(found, "on_bad_release", ("report", "revert")) or None,   # type: ignore[arg-type]
        _types(found),   # type: ignore[arg-type]
    )


def _types(found: Fields) -> tuple[str, ...]:
    field = found.get("types")
    words = [item.one_of(("production", "staging", "development")) for item in field.items()] if field else []
    return tuple(word for word in words if word)


def _test(name: str, field: Field, apps: frozenset[str]) -> SmokeTest | None:
    if not NAME.fullmatch(name):
        field.wrong_name("bad-name", f"`{shown(name)}` cannot be the name of a smoke test",
                         "letters, digits, hyphens and underscores, 40 at most")
        return None
    fields = field.fields(SMOKE)
    if fields is None:
        return None
    path, command = _text(fields, "path", 2_000, PATH), _text(fields, "command", LONGEST_COMMAND)
    given = [key for key in ("path", "command") if fields.get(key) is not None]
    if len(given) == 2:
        field.wrong("not-together", "a smoke test has `path` or `command`, not both", "make two of it")
    elif not given:
        field.wrong("missing-key", "a smoke test needs `path` or `command`", "add `path: /`")
    app = _text(fields, "app", 100)
    if app and apps and app not in apps and (of := fields.get("app")):
        of.wrong("not-allowed", f"there is no application `{shown(app)}`", f"there are {', '.join(sorted(apps))}")
    return SmokeTest(
        name, path=path, method=_one_of(fields, "method", METHODS) or "GET", host=_text(fields, "host", 253, HOST),
        headers=_headers(fields, "headers"), body=_text(fields, "body", LONGEST_COMMAND), command=command, app=app,
        status=_status(fields.get("status")), contains=_text(fields, "contains", LONGEST_TEXT),
        matches=_pattern(fields), answer_headers=_headers(fields, "answer_headers"),
        timeout_seconds=fields.integer("timeout", 1, 60, "seconds") or 10,
        before_switch=fields.boolean("before_switch"), place=field.place,
    )


def _one_of(fields: Fields, key: str, allowed: tuple[str, ...]) -> str:
    field = fields.get(key)
    return (field.one_of(allowed) or "") if field is not None else ""


def _text(fields: Fields, key: str, longest: int, pattern: re.Pattern[str] | None = None) -> str:
    field = fields.get(key)
    text = field.text() if field is not None else None
    if field is None or text is None:
        return ""
    if len(text) > longest:
        field.wrong("too-large", f"`{key}` has {len(text):,} characters, at most {longest:,} are allowed", "shorten it")
        return ""
    if pattern is not None and not pattern.fullmatch(text):
        hint = "begin it with one `/`, and encode what is not ASCII" if key == "path" else "see docs/checks.md"
        field.wrong("not-allowed", f"`{shown(text)}` is not a value of `{key}`", hint)
        return ""
    return text


def _headers(fields: Fields, key: str) -> dict[str, str]:
    found = {}
    for name, field in fields.entries(key)[:MOST_HEADERS]:
        text = field.text()
        if not HEADER.fullmatch(name) or name.lower() in HEADERS_OF_OURS:
            field.wrong_name("bad-name", f"`{shown(name)}` is no header that a test can name", "leave it out")
        elif text is not None and (len(text) > LONGEST_TEXT or not text.isprintable()):
            field.wrong("not-allowed", "the value has line ends, signs that cannot be shown, or is too long",
                        "write one short line")
        elif text is not None:
            found[name] = text
    return found


def _status(field: Field | None) -> tuple[int, ...]:
    if field is None:
        return ()
    items = field.items() if field.node.kind == "a list" else [field]
    found = [item.integer(0, 999) for item in items[:20]]
    return tuple(number for number in found if number is not None)


def _pattern(fields: Fields) -> str:
    text, field = _text(fields, "matches", LONGEST_PATTERN), fields.get("matches")
    if not text or field is None:
        return ""
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        field.wrong("bad-pattern", f"`{shown(text)}` is not a regular expression: {error}",
                    "it is written as Python's `re` reads it")
        return ""
    return text
