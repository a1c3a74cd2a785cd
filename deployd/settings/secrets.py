"""What of a secret can be guessed. Pure."""

from __future__ import annotations

import re

LEAST_CHARACTERS = 16
"""Of a token and of a webhook's secret: what `openssl rand -hex 8` gives."""
LEAST_DIFFERENT = 6
"""Different characters in it; `xxxxxxxxxxxxxxxx` is a place to be filled."""
PLACEHOLDERS = re.compile(
    r"(change|replace).?(me|this)|placeholder|example|your.?(secret|token)|password|openssl|…", re.IGNORECASE,
)


def weakness_of(secret: str) -> str:
    """Why a secret can be guessed; empty when it cannot."""
    if len(secret) < LEAST_CHARACTERS:
        return f"it has {len(secret)} characters, and {LEAST_CHARACTERS} are the least"
    if len(set(secret)) < LEAST_DIFFERENT:
        return "it repeats itself"
    if PLACEHOLDERS.search(secret):
        return "it is a word that holds the place of a secret"
    return ""
