"""The first lines of an answer, as a person would read them: without tags, scripts and commands to a terminal. Pure.

Whoever wrote the page may want to harm who reads it: it is walked over once, from left to right, and cut.
"""

from __future__ import annotations

import html
import re

from deployd.activity.plain_text import plain_text

MOST_BYTES = 32_768
MOST_LINES, LONGEST_LINE = 4, 160
UNSEEN = frozenset({"script", "style", "svg", "template", "noscript"})
WITHIN_A_LINE = frozenset({"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "u"})
TAG = re.compile(r"/?([a-z][a-z0-9]{0,15})")


def first_lines(body: bytes, content_type: str) -> tuple[str, ...]:
    """
    Args:
        body: Its beginning is enough.
        content_type: As the answer says it.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind and not kind.startswith("text/") and "json" not in kind and "xml" not in kind:
        return ()
    text = body[:MOST_BYTES].decode(errors="replace")
    if "html" in kind or (not kind and text.lstrip()[:1] == "<"):
        text = html.unescape(_without_tags(text, body[:MOST_BYTES].lower().decode(errors="replace")))
    found: list[str] = []
    for line in text.splitlines():
        words = " ".join(plain_text(line).split())
        if words and words not in found:   # a title is a heading too
            found.append(words if len(words) <= LONGEST_LINE else words[:LONGEST_LINE] + "…")
        if len(found) == MOST_LINES:
            break
    return tuple(found)


def _without_tags(text: str, lower: str) -> str:
    """What stands between tags, on a line of its own for each that begins one. Never goes back.

    Args:
        lower: The same in lower case, as far as ASCII goes: of other letters the small one may be longer.
    """
    parts, at = [], 0
    while (begin := text.find("<", at)) >= 0:
        parts.append(text[at:begin])
        if lower.startswith("<!--", begin):
            end = text.find("-->", begin)
            at = end + 3
        else:
            end = text.find(">", begin)
            at = end + 1
            tag = TAG.match(lower, begin + 1)
            name = tag[1] if tag else ""
            if end >= 0 and name in UNSEEN and text[begin + 1] != "/":
                end = at = lower.find(f"</{name}", at)
            if name not in WITHIN_A_LINE:
                parts.append("\n")
        if end < 0:   # the rest is none that anybody sees
            return "".join(parts)
    return "".join([*parts, text[at:]])
