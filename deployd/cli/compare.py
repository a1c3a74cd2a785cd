"""`deployd compare`: how two versions differ."""

from __future__ import annotations

from typing import Any

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import harmless, show_json, size

SIGNS = {"added": "+", "removed": "-", "changed": "~"}
RELATIONS = {
    "same": "both are of the same commit", "later": "the second has all commits of the first",
    "earlier": "the first has all commits of the second", "apart": "each has commits that the other has not",
    "unknown": "of the commits nothing is known: two projects, or one is not in the repository any more",
}


@click.command()
@daemon_options
@click.option("--files", is_flag=True, help="Also which files of slugs differ; this can take half a minute.")
@json_option
@click.argument("a")
@click.argument("b")
def compare(daemon: DaemonAddress, a: str, b: str, files: bool, as_json: bool) -> None:
    """How two versions differ: commits, configuration, services, files.

    A and B are PROJECT/ENVIRONMENT (what is live), PROJECT/ENVIRONMENT@ACTIVITY, or the number of an activity."""
    found = ask(daemon, lambda client: client.get("/api/v1/compare", a=a, b=b, files="1" if files else None))
    if as_json:
        show_json(found)
        return
    for line in lines_of(found, with_files=files):
        click.echo(harmless(line))


def lines_of(found: dict[str, Any], *, with_files: bool) -> list[str]:
    """A comparison for people."""
    lines = [*(_side(found[name]) for name in ("a", "b")), RELATIONS.get(found["relation"], found["relation"])]
    lines += found["notes"]
    for sign, name in (("+", "commits_added"), ("-", "commits_removed")):
        lines += [f"  {sign} {item['commit'][:8]} {item['subject']} ({item['author']})" for item in found[name]]
        left = found[f"{name}_count"] - len(found[name])
        lines += [f"  {sign} and {left} before them"] if left else []
    for section in found["sections"]:
        if section["changes"]:
            lines += ["", f"{section['of']} ({section['same']} do not differ)", *map(_change, section["changes"])]
    for slug in found["files"] if with_files else ():
        lines += ["", *_files(slug)]
    if found["configuration"]:
        lines += ["", *found["configuration"]]
        lines += [f"and {found['configuration_more']} more lines"] if found["configuration_more"] else []
    return lines


def _side(side: dict[str, Any]) -> str:
    by = f"activity {side['activity']}{', live' if side['live'] else ''}"
    return f"{side['project']}/{side['branch']}: {side['commit'][:8]} {side['subject']} ({by})"


def _change(change: dict[str, Any]) -> str:
    shown = " → ".join(filter(None, (change["before"], change["after"]))) if change["before"] != change["after"] else ""
    return " ".join(filter(None, (f"  {SIGNS[change['change']]}", change["name"], shown, "; ".join(change["why"]))))


def _files(slug: dict[str, Any]) -> list[str]:
    counts = f"{slug['added']} added, {slug['changed']} changed, {slug['removed']} removed"
    grown = f"{'+' if slug['grown_bytes'] >= 0 else '-'}{size(abs(slug['grown_bytes']))}"
    left = slug["added"] + slug["changed"] + slug["removed"] - len(slug["files"])
    return [
        f"files of {slug['app']}: {counts}, {grown}", *([f"  {slug['why']}"] if slug["why"] else []),
        *(f"  {SIGNS[file['change']]} {file['path']} ({_sizes(file)})" for file in slug["files"]),
        *([f"  and {left} more"] if left else []),
    ]


def _sizes(file: dict[str, Any]) -> str:
    return " → ".join(size(file[name]) for name in ("before_bytes", "after_bytes") if file[name] is not None)
