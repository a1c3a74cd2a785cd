"""Files whose content Git LFS keeps elsewhere: git has a pointer of three lines in their place. Pure.

Which they are is said by `.gitattributes` (`*.psd filter=lfs`) and by the file itself; a file that only looks like a
pointer is one to nobody. Patterns are read a little more widely than git reads them: the content decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate

from deployd.project.findings.spelling import listed, shown
from deployd.project.model.place import Place
from deployd.project.tree.files import ATTRIBUTES, Files
from deployd.project.tree.tree import Tree

MARK = b"version https://git-lfs.github.com/spec/v1\n"
LEAST_BYTES, MOST_BYTES = 120, 1_023   # of a pointer: git-lfs's specification, and what its lines come to
MOST_LISTS, LARGEST_LIST, MOST_PATTERNS, LONGEST_PATTERN = 50, 100_000, 200, 200
MOST_LOOKED_AT = 200
SHOWN = 3


def check_lfs(files: Files) -> None:
    """Warn of the pointers of a commit."""
    found = find_pointers(files)
    if not found:
        return
    names = listed([shown(path) for path in found[:SHOWN]], "and")
    more = "many" if len(found) == MOST_LOOKED_AT else str(len(found) - SHOWN)
    rest = f" and {more} more" if len(found) > SHOWN else ""
    files.findings.warn(
        "lfs-pointer",
        Place(found[0]),
        f"{names}{rest} {'is a pointer' if len(found) == 1 else 'are pointers'} of Git LFS, and a build gets the"
        " pointer, not what it stands for",
        "let git have the files themselves (`git lfs migrate export --everything --include=…`), or download them in the"
        " build hook",
    )


def find_pointers(files: Files) -> list[str]:
    """Paths of all pointers, as far as they were looked for."""
    patterns = list(_patterns(files))
    if not patterns:
        return []
    tree = files.tree
    candidates: list[str] = []
    for path in tree.paths():
        if (tree.smudges or LEAST_BYTES <= tree.size(path) <= MOST_BYTES) and _is_kept(path, patterns):
            candidates.append(path)
            if len(candidates) == MOST_LOOKED_AT:
                break
    return sorted(path for path in candidates if tree.smudges or _is_pointer(tree, path))


def _is_pointer(tree: Tree, path: str) -> bool:
    try:
        return tree.read(path).startswith(MARK)
    except FileNotFoundError:   # a link
        return False


def _patterns(files: Files) -> Iterator[tuple[str, re.Pattern[str], bool]]:
    """(folder, what matches below it, whether by the whole path)"""
    count = 0
    lists = sorted(path for path in files.config_paths if path.rsplit("/", 1)[-1] == ATTRIBUTES)
    for path in lists[:MOST_LISTS]:
        folder = path.removesuffix(ATTRIBUTES)
        for pattern in _kept_by_lfs(files.tree, path):
            count += 1
            if count > MOST_PATTERNS:
                return
            whole = "/" in pattern.rstrip("/")
            wide = pattern.lstrip("/").replace("**/", "*").replace("**", "*")
            yield folder, re.compile(translate(wide)), whole


def _kept_by_lfs(tree: Tree, path: str) -> Iterator[str]:
    if not 0 < tree.size(path) <= LARGEST_LIST:
        return
    try:
        text = tree.read(path).decode("utf-8", "replace")
    except FileNotFoundError:   # a link
        return
    for line in text.splitlines():
        quoted = re.match(r'\s*"((?:[^"\\]|\\.)*)"\s(.*)', line)
        pattern, _, attributes = (quoted[1], "", quoted[2]) if quoted else line.strip().partition(" ")
        if "filter=lfs" in attributes.split() and 0 < len(pattern) <= LONGEST_PATTERN and not pattern.startswith("#"):
            yield pattern


def _is_kept(path: str, patterns: list[tuple[str, re.Pattern[str], bool]]) -> bool:
    name = path.rsplit("/", 1)[-1]
    return any(
        path.startswith(folder) and pattern.match(path.removeprefix(folder) if whole else name)
        for folder, pattern, whole in patterns
    )
