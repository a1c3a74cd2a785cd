"""What a program wrote, as plain text: terminals obey control characters, and no build is to command them. Pure.

The log is read in the terminals of those who did not write the build, an operator's as root among them.
"""

from __future__ import annotations

import re

SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"              # CSI: colours, cursor, clearing
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"    # OSC and other strings: titles, the clipboard
    r"|\x1b[ -/]*[0-~]?",
)
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def plain_text(line: str) -> str:
    """The line without colours and other commands to a terminal; of a line written over and over, what is seen last."""
    text = SEQUENCE.sub("", line).rstrip("\r")
    return CONTROL.sub("", text.rpartition("\r")[2])
