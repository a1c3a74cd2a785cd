"""`redirects` of a route: single paths that lead elsewhere (configuration format 6.4). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.fields.patterns import check_pattern
from deployd.project.fields.quantities import read_expires
from deployd.project.findings.spelling import shown
from deployd.project.model.routes import PathRedirect
from deployd.project.routes.urls import is_url
from deployd.project.yaml.nodes import MapNode, Node, ScalarNode

REDIRECTS = Table(
    "redirects",
    (
        Key("paths", "mapping of paths", "what leads where", "required"),
        Key("expires", "integer or duration", "how long browsers may keep the answer", "`-1`"),
    ),
    noun="`redirects`",
)
REDIRECT = Table(
    "redirects.paths.<path>",
    (
        Key("to", "URL or path", "with `regexp`: `$1`, `$is_args`, `$args`, `$arg_<name>`, `$uri`", "required"),
        Key("regexp", "boolean", "the key is a regular expression", "`false`"),
        Key("prefix", "boolean", "what is below the path, too", "`true`"),
        Key("append_suffix", "boolean", "carry over what follows the prefix", "`true`"),
        Key("code", "301, 302, 307 or 308", default="302"),
        Key("expires", "integer or duration", default="that of `redirects`"),
    ),
    noun="a redirect",
)
CODES = (301, 302, 307, 308)
MOST_REDIRECTS = 50_000  # the hosted platforms' own limit: configuration format 6.4
MOST_PATTERNS = 500  # of a project: one request may have to be compared with all of them
LARGEST_PATTERNS = 500_000  # bytes of all of them, compiled; each worker of the router compiles them anew
LONGEST_PATH = 2_000  # bytes; a visitor's may have 16 KB
MOST_VARIABLES = 20  # in a target: each may stand for all of a visitor's path


def count_patterns(route: Field) -> int:
    """How many redirects of a route are regular expressions, without looking at any of them."""
    found: Node = route.node
    for name in ("redirects", "paths"):
        entry = found.get(name) if isinstance(found, MapNode) else None
        if entry is None:
            return 0
        found = entry.value
    rules = [entry.value for entry in found.entries] if isinstance(found, MapNode) else []
    return sum(isinstance(rule, MapNode) and _is_pattern(rule) for rule in rules)


def _is_pattern(rule: MapNode) -> bool:
    entry = rule.get("regexp")
    return entry is not None and isinstance(entry.value, ScalarNode) and entry.value.value is True


def read_redirects(field: Field | None) -> tuple[PathRedirect, ...]:
    fields = field.fields(REDIRECTS) if field else None
    if fields is None:
        return ()
    outer = read_expires(fields.get("expires"))
    if fields.require("paths", "list the paths: `paths: {/from: {to: /to}}`") is None:
        return ()
    found = []
    for path, entry in fields.entries("paths", dots="a path begins with a slash; write a pattern as `^.`"):
        inner = entry.fields(REDIRECT)
        redirect = _redirect(path, entry, inner, -1 if outer is None else outer) if inner is not None else None
        if redirect is not None:
            found.append(redirect)
    return tuple(found)


def _redirect(path: str, entry: Field, fields: Fields, outer: int) -> PathRedirect | None:
    to_field = fields.require("to", "say where it leads")
    to = to_field.text() if to_field else None
    regexp = fields.boolean("regexp")
    prefix, suffix = fields.maybe_boolean("prefix"), fields.maybe_boolean("append_suffix")
    if regexp:
        check_pattern(entry, path, of_key=True)
        for name in ("prefix", "append_suffix"):
            other = fields.get(name)
            if other is not None:
                other.wrong_name(
                    "not-together",
                    f"`{name}` has no meaning with `regexp: true`",
                    f"remove `{name}`; say it in the pattern",
                )
    elif not path.startswith("/"):
        entry.wrong_name(
            "slash-missing",
            f"the path `{shown(path)}` does not begin with a slash",
            "add `regexp: true`" if re.search(r"[\^$()*\[]", path) else f'write "/{shown(path)}"',
        )
    elif len(path.encode()) > LONGEST_PATH:
        entry.wrong_name(
            "path-too-long",
            f"the path `{shown(path)}` has {len(path.encode()):,} bytes, at most {LONGEST_PATH:,} are allowed",
            "lead a shorter path elsewhere",
        )
    if prefix is False and suffix:
        suffix_field = fields.get("append_suffix")
        assert suffix_field is not None
        suffix_field.wrong_name("not-together", "`append_suffix` has no meaning with `prefix: false`", "remove it")
    if to_field is not None and to is not None and not _leads_somewhere(to, regexp):
        hint = "begin with `https://` or a slash, without spaces"
        to_field.wrong("bad-url", f"`{shown(to)}` is neither a URL nor a path", hint)
    if to_field is not None and to is not None:
        _check_length(to_field, to)
    code = _code(fields.get("code"))
    expires = read_expires(fields.get("expires"))
    if to is None:
        return None
    return PathRedirect(
        path, to, regexp, prefix is not False, suffix is not False, code, outer if expires is None else expires
    )


def _check_length(field: Field, to: str) -> None:
    if len(to) > LONGEST_PATH:
        field.wrong(
            "path-too-long", f"the target has {len(to):,} characters, at most {LONGEST_PATH:,} are allowed",
            "lead to a shorter URL",
        )
    elif to.count("$") > MOST_VARIABLES:
        field.wrong(
            "path-too-long", f"the target has {to.count('$')} variables, at most {MOST_VARIABLES} are allowed",
            "name each part of the path once",
        )


def _leads_somewhere(to: str, regexp: bool) -> bool:
    """A URL or a path. What a pattern captured may stand anywhere in it, so a URL with `$` cannot be taken apart."""
    if re.search(r"[\x00-\x20\x7f]", to):
        return False
    whole = to.startswith(("http://", "https://")) and not (regexp and "$" in to)
    return is_url(to) if whole else re.match(r"https?://|/|\$", to) is not None


def _code(field: Field | None) -> int:
    code = field.integer() if field else None
    if field is not None and code is not None and code not in CODES:
        field.wrong("not-allowed", f"{code} is not a code of redirects", "write 301 (for ever), 302, 307 or 308")
    return code or 302
