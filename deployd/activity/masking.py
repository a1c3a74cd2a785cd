"""Keeping secrets out of logs. Pure but for the set of secrets that it learns.

Surprise: no regular expression. A thousand environments have some ten thousand secrets, and an alternation of so many
is tried one by one at each character; here it is one look into a set, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable

SHORTEST = 6   # a shorter one would mask ordinary words
MASK = "***"


class Masker:
    """Replaces every secret that it was told of."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._by_beginning: dict[str, list[str]] = {}
        """{first characters: secrets that begin so, longest first}"""
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        for secret in secrets:
            if len(secret) < SHORTEST:
                continue
            alike = self._by_beginning.setdefault(secret[:SHORTEST], [])
            if secret not in alike:
                alike.append(secret)
                alike.sort(key=len, reverse=True)

    def mask(self, text: str) -> str:
        known = self._by_beginning
        if not known:
            return text
        parts, place, kept = [], 0, 0
        while place <= len(text) - SHORTEST:
            alike = known.get(text[place:place + SHORTEST])
            found = next((secret for secret in alike if text.startswith(secret, place)), None) if alike else None
            if found is None:
                place += 1
                continue
            parts += [text[kept:place], MASK]
            place = kept = place + len(found)
        return "".join((*parts, text[kept:])) if parts else text
