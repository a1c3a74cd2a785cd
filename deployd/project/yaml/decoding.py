"""Bytes of a file to its text: bounded, UTF-8, printable. Pure."""

from __future__ import annotations

import re

from deployd.project.findings.findings import Findings
from deployd.project.model.place import Place

LARGEST_FILE = 4 << 20  # bytes; 50,000 redirects fit, the largest real file of the corpus has 25 KB
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def decode(data: bytes, file: str, findings: Findings) -> str | None:
    """Bytes of a text file, or None with a finding: too large, not UTF-8, not text."""
    if len(data) > LARGEST_FILE:
        findings.error(
            "file-too-large",
            Place(file),
            f"the file has {len(data):,} bytes, at most {LARGEST_FILE:,} are read",
            "move large texts into files of their own",
        )
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        findings.lines[file] = data.decode("utf-8", "replace").splitlines()
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        findings.error(
            "not-utf-8",
            place,
            f"the file is not UTF-8: byte 0x{data[error.start]:02x} cannot stand here",
            "save the file as UTF-8",
        )
        return None
    bad = _UNPRINTABLE.search(text)
    if bad:
        findings.lines[file] = text.split("\n")
        place = Place(file, text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start()))
        findings.error(
            "not-text",
            place,
            f"the file holds the control character U+{ord(bad.group()):04X}",
            "remove it; configuration files are plain text",
        )
        return None
    return text
