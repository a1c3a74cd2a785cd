"""What `git push -o` may ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterable

NO_WAIT = "no-wait"
"""The push ends when it is queued."""
NO_DEPLOY = "no-deploy"
"""The branch is stored, and not deployed."""
SKIP_BUILD_CACHE = "skip-build-cache"
"""Everything is built, with an empty cache."""
KNOWN = (NO_WAIT, NO_DEPLOY, SKIP_BUILD_CACHE)
MOST_TOLD = 3


def unknown_options(options: Iterable[str]) -> list[str]:
    """What is said of options that mean nothing here: those of other servers do no harm."""
    unknown = [option for option in dict.fromkeys(options) if option not in KNOWN]
    return [
        f"the push option {_shown(option)} means nothing here; there are {', '.join(KNOWN)}"
        for option in unknown[:MOST_TOLD]
    ]


def _shown(option: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in option[:60])
