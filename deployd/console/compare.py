"""The page that compares two versions."""

from __future__ import annotations

from urllib.parse import urlencode

from deployd.console.asked import Asked

HEADINGS = {
    "applications": "Applications", "services": "Services", "routes": "Routes", "workers": "Workers", "crons": "Crons",
    "variables": "Variables", "images": "Images", "slugs": "Slugs",
}
LONGEST = 400


async def compare(asked: Asked) -> str:
    """`a` and `b` say what; `files=1` looks into slugs. Without both it is a form."""
    a, b = (asked.query.get(name, "").strip()[:LONGEST + 1] for name in ("a", "b"))
    with_files = asked.query.get("files") == "1"
    found = await asked.queries.comparisons.of(
        a, b, asked.caller.may_see, with_files=with_files,
    ) if a and b else None
    return await asked.page(
        "compare.html", a=a, b=b, found=found, with_files=with_files, headings=HEADINGS, kind_of=kind_of,
        other_way=urlencode({"a": b, "b": a}), and_files=urlencode({"a": a, "b": b, "files": "1"}),
    )


def kind_of(line: str) -> str:
    """The class of a line of a difference. Pure."""
    if line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode")):
        return "head"
    return {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "same")
