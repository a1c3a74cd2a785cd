"""Text of others on our terminal: programs of a build may write what moves the cursor or renames the window. Pure."""

from __future__ import annotations

import re

COLOUR = r"\x1b\[[0-9;]*m"
OTHER_SEQUENCE = re.compile(rf"(?!{COLOUR})\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
RESET = "\x1b[0m"


def harmless(text: str) -> str:
    """The text with nothing but colours left of its control characters, and with these ended."""
    clean = CONTROL.sub("", OTHER_SEQUENCE.sub("", text))
    return clean + RESET if "\x1b" in clean else clean
