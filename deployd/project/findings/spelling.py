"""The nearest right spelling of a wrong word, and lists as people read them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_LIST = 24  # words; a longer list is cut, the docs have all of them


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that was probably meant, or None."""
    from difflib import get_close_matches  # loaded when something is wrong, not in every check

    candidates = {item.lower(): item for item in allowed}
    folded = word.lower()[:80]
    for variant in (folded, folded.replace("-", "_"), folded.replace("_", "-"), f"{folded}s", folded.removesuffix("s")):
        if variant in candidates:
            return candidates[variant]
    for candidate in candidates:
        if len(folded) > 1 and sorted(candidate) == sorted(folded):  # letters swapped
            return candidates[candidate]
    begun = [candidate for candidate in candidates if len(folded) > 3 and candidate.startswith(folded)]
    if len(begun) == 1:
        return candidates[begun[0]]
    close = get_close_matches(folded, candidates, n=1, cutoff=0.66)
    return candidates[close[0]] if close else None


def listed(words: Iterable[str], last: str = "or") -> str:
    """`a`, `b` or `c`"""
    quoted = [f"`{word}`" for word in words]
    if len(quoted) > LONGEST_LIST:
        quoted = [*quoted[:LONGEST_LIST], f"{len(quoted) - LONGEST_LIST} more"]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


def guess(word: str, allowed: Iterable[str], otherwise: str = "write") -> str:
    """The hint for a wrong word: `did you mean …?`, or what is allowed."""
    words = list(allowed)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean `{near}`? " + (f"Allowed: {listed(words)}" if len(words) <= LONGEST_LIST else "")
    return f"{otherwise} {listed(words)}"


def shown(text: str) -> str:
    """A value as a message quotes it: one line, cut when long."""
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 60 else f"{one_line[:57]}…"
