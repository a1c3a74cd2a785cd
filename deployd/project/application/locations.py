"""`web.locations`: static files, front controllers, rules (configuration format 4.8). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployd.project.application.web_paths import UNSAFE, check_length, read_index, read_passthru, read_root
from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.fields.nginx_literal import LONGEST_WORD, is_too_long, plain
from deployd.project.fields.nginx_variables import check_groups, check_variables
from deployd.project.fields.patterns import check_pattern
from deployd.project.fields.quantities import read_expires, read_size_bytes
from deployd.project.findings.spelling import shown
from deployd.project.model.web import Location, RequestBuffering, Rule
from deployd.project.yaml.nodes import MapNode, Node

_IN_BOTH = (
    Key(
        "passthru",
        "boolean or path",
        "what happens with what is no file: `false` 404, `true` to the process, a path to that script",
        "`false` with a `root`, else `true`",
    ),
    Key("expires", "integer or duration", "cache time of static files", "`-1`"),
    Key("allow", "boolean", "whether static files are served", "`true`"),
    Key("scripts", "boolean", "whether scripts run when asked for directly (PHP)", "`true`"),
    Key("headers", "mapping", "headers of static files; in a rule they replace the location's", "`{}`"),
)
LOCATION = Table(
    "web.locations.<path>",
    (
        Key("root", "path in the application", "folder of static files"),
        Key("index", "list of names", "files tried for a folder", "none"),
        *_IN_BOTH,
        Key(
            "request_buffering",
            "mapping",
            "whether a body is read before the application gets the request",
            "`{enabled: true}`",
        ),
        Key("rules", "mapping of regular expressions", "what is different for some paths", "`{}`"),
    ),
    noun="a location",
)
RULE = Table("web.locations.<path>.rules.<pattern>", _IN_BOTH, noun="a rule")
BUFFERING = Table(
    "request_buffering",
    (
        Key("enabled", "boolean", default="`true`"),
        Key("max_request_size", "size", "`250m`", "`250m`"),
    ),
    noun="`request_buffering`",
)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_NOT_IN_HEADERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
MOST_LOCATIONS = 200
MOST_RULES = 500  # of all locations together


def read_locations(field: Field) -> tuple[Location, ...]:
    found: list[Location] = []
    there: dict[str, Field] = {}
    entries = field.entries(dots="a path begins with a slash")
    if len(entries) > MOST_LOCATIONS:
        field.wrong_name(
            "too-many-locations",
            f"there are {len(entries):,} locations, at most {MOST_LOCATIONS} are allowed",
            "make one location for a group of paths, with `rules`",
        )
        return ()
    rules = sum(_count_rules(entry.node) for _, entry in entries)
    if rules > MOST_RULES:   # said before any of them is looked at
        field.wrong_name(
            "too-many-rules",
            f"there are {rules:,} rules, at most {MOST_RULES} are allowed in all locations together",
            "make patterns for groups of paths",
        )
        return ()
    for path, entry in entries:
        if not path.startswith("/"):
            entry.wrong_name(
                "slash-missing", f"the location `{shown(path)}` does not begin with a slash", f'write "/{shown(path)}"'
            )
        elif UNSAFE.search(path):
            entry.wrong_name(
                "bad-path", f"`{shown(path)}` is not a path", "write a plain prefix; patterns go into `rules`"
            )
        else:
            check_length(entry, path, of_key=True)
        other = there.setdefault(path.rstrip("/"), entry)
        if other is not entry:
            entry.wrong_name(
                "same-location",
                f"the location `{shown(path)}` is here twice, with and without a slash at the end",
                "keep one of the two",
                related=(other.place,),
            )
        if entry.is_null():
            found.append(Location(path, passthru=True))
            continue
        fields = entry.fields(LOCATION)
        if fields is not None:
            found.append(_location(path, fields))
    return tuple(found)


def _count_rules(location: Node) -> int:
    rules = location.get("rules") if isinstance(location, MapNode) else None
    return len(rules.value.entries) if rules is not None and isinstance(rules.value, MapNode) else 0


def _location(path: str, fields: Fields) -> Location:
    root = read_root(fields.get("root"))
    passthru_field = fields.get("passthru")
    passthru = read_passthru(passthru_field)
    if passthru_field is not None:
        check_variables(passthru_field, "")
    expires = read_expires(fields.get("expires"))
    rules = fields.get("rules")
    index = fields.get("index")
    return Location(
        path=path,
        root=root,
        passthru=(root is None) if passthru is None else passthru,
        index=read_index(index) if index else (),
        expires_seconds=-1 if expires is None else expires,
        allow=fields.boolean("allow", True),
        scripts=fields.boolean("scripts", True),
        headers=read_headers(fields.get("headers")) or {},
        request_buffering=_buffering(fields),
        rules=_rules(rules) if rules else (),
    )


def read_headers(field: Field | None) -> Mapping[str, str] | None:
    if field is None:
        return None
    found: dict[str, str] = {}
    for name, value in field.entries(dots="a header has no dot in front"):
        text = value.text()
        if not _HEADER.fullmatch(name):
            value.wrong_name("bad-name", f"`{shown(name)}` is not the name of a header", "use letters, digits and `-`")
        elif text is not None and _NOT_IN_HEADERS.search(text.rstrip("\n")):
            value.wrong(
                "bad-header", f"the value of the header `{name}` has more than one line", "write it in one line"
            )
        elif text is not None and is_too_long(plain(text)):
            value.wrong(
                "bad-header",
                f"the value of the header `{name}` has {len(plain(text).encode()):,} bytes as the web server reads it, "
                f"at most {LONGEST_WORD:,} are allowed",
                "make it shorter, or let the application send it",
            )
        elif text is not None:
            found[name] = text.rstrip("\n")
    return found


def _buffering(fields: Fields) -> RequestBuffering:
    buffering = fields.fields("request_buffering", BUFFERING)
    if buffering is None:
        return RequestBuffering()
    enabled, size = buffering.boolean("enabled", True), read_size_bytes(buffering.get("max_request_size"))
    return RequestBuffering(enabled) if size is None else RequestBuffering(enabled, size)


def _rules(field: Field) -> tuple[Rule, ...]:
    entries = field.entries(dots="a pattern cannot begin with a dot: write `[.]` or `^.`")
    found = []
    for pattern, entry in entries:
        usable = check_pattern(entry, pattern, of_key=True) and check_groups(entry, pattern)
        if entry.is_null():
            found += [Rule(pattern)] if usable else []   # the first rule that matches keeps later ones off
            continue
        fields = entry.fields(RULE)
        if fields is None:
            continue
        passthru = fields.get("passthru")
        if passthru is not None and usable:
            check_variables(passthru, pattern)
        rule = Rule(
            pattern,
            fields.maybe_boolean("allow"),
            read_passthru(passthru),
            fields.maybe_boolean("scripts"),
            read_expires(fields.get("expires")),
            read_headers(fields.get("headers")),
        )
        if usable:
            found.append(rule)
    return tuple(found)
