"""Keeping secrets out of logs. Pure but for the set of secrets that it learns."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHORTEST = 6   # a shorter one would mask ordinary words
MASK = "***"


class Masker:
    """Replaces every secret that it was told of."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        new = {secret for secret in secrets if len(secret) >= SHORTEST} - self._secrets
        if new:
            self._secrets |= new
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def mask(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text
