"""The keys of `web` from before 2016, made into the location `/` (configuration format 4.8, "Legacy keys"). Pure."""

from __future__ import annotations

from deployd.project.application.locations import MOST_RULES
from deployd.project.application.web_paths import read_index, read_passthru, read_root
from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key
from deployd.project.fields.nginx_variables import check_groups
from deployd.project.fields.patterns import check_pattern
from deployd.project.fields.quantities import read_expires
from deployd.project.model.web import Location, Rule

LEGACY_KEYS = (
    Key("document_root", "path", "old form of `locations`: root"),
    Key("passthru", "path or boolean", "old form of `locations`: passthru"),
    Key("index_files", "list of names", "old form of `locations`: index"),
    Key("whitelist", "list of regular expressions", "old form of `locations`: rules with `allow: true`"),
    Key("blacklist", "list of regular expressions", "old form of `locations`: rules with `allow: false`"),
    Key("expires", "integer or duration", "old form of `locations`: expires"),
    Key(
        "move_to_root",
        "boolean",
        "files are never moved into another folder any more",
        treatment="warned",
        hint="move the files in the build hook",
    ),
)
_OLD = tuple(key.name for key in LEGACY_KEYS if key.treatment == "honoured")


def read_legacy_location(web: Fields) -> Location | None:
    """The location that the old keys mean; None when there are none of them."""
    web.maybe_boolean("move_to_root")
    old = [field for name in _OLD if (field := web.get(name)) is not None]
    if not old:
        return None
    if web.get("locations") is not None:
        for field in old:
            field.wrong_name(
                "not-together",
                f"`{field.name.text if field.name else ''}` is the old form of `locations` and cannot stand beside it",
                "move it into the location `/`",
            )
        return None
    root, index = web.get("document_root"), web.get("index_files")
    expires = read_expires(web.get("expires"))
    allowed, denied = _patterns(web.get("whitelist")), _patterns(web.get("blacklist"))
    return Location(
        "/",
        root=read_root(root, absolute=True),
        passthru=_passthru(web.get("passthru")),
        index=read_index(index) if index else (),
        expires_seconds=-1 if expires is None else expires,
        allow=not allowed,
        rules=(
            *(Rule(pattern, allow=False) for pattern in denied),
            *(Rule(pattern, allow=True) for pattern in allowed),
        ),
    )


def _patterns(field: Field | None) -> list[str]:
    items = field.items() if field else []
    if field is not None and len(items) > MOST_RULES:
        field.wrong_name(
            "too-many-rules", f"there are {len(items):,} patterns, at most {MOST_RULES} are allowed",
            "make patterns for groups of paths",
        )
        return []
    found = []
    for item in items:
        pattern = item.text()
        if pattern is not None and check_pattern(item, pattern, of_key=False) and check_groups(item, pattern):
            found.append(pattern)
    return found


def _passthru(field: Field | None) -> bool | str:
    value = read_passthru(field)
    return False if value is None else value
