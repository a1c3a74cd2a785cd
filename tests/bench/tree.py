"""A tree of source files as a shop has it: 30,000 files, some 200 MB, that compress as source code does."""

from __future__ import annotations

import random
from pathlib import Path

FILES = 30_000
FILES_IN_FOLDER = 40
MEAN_BYTES = 6_900
TEXT = """
public function return array string int null this self new class namespace use final private protected static const if
else foreach while throw catch try match fn yield model block helper plugin observer collection resource factory order
quote customer product category store website scope config value label price total item address region
"""
WORDS = TEXT.split()


def make_tree(folder: Path, files: int = FILES) -> int:
    """Write the tree; the same at every call. Returns its size in bytes."""
    source = random.Random(2)
    # Lines are made once and put together anew for each file: fast, and no two files are the same.
    lines = [" ".join(source.choices(WORDS, k=9)) + f" ${source.getrandbits(40):x};\n" for _ in range(4000)]
    size = 0
    for number in range(files):
        place = folder / f"vendor/m{number // 1600}/d{number // FILES_IN_FOLDER}"
        if number % FILES_IN_FOLDER == 0:
            place.mkdir(parents=True, exist_ok=True)
        count = max(1, int(source.expovariate(70 / MEAN_BYTES)))
        text = f"<?php // {number}\n" + "".join(source.choices(lines, k=count))
        (place / f"File{number}.php").write_text(text)
        size += len(text)
    return size
