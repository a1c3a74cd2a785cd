"""What lies between two commits: other commits, and differences of files as text. Bounded; git can be killed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deployd.git.mirror import ABOUT, CommitInfo, Mirror
from deployd.git.program import git
from deployd.ids import CommitId, TreeId
from deployd.process import ProgramFailed, ProgramOverran

LIMIT_SECONDS = 10.0
FIELDS = ABOUT.count("%x00") + 1
MOST_PATHS = 500
MOST_COMMITS, MOST_AUTHORS, LONGEST_AUTHOR = 20_000, 2_000, 200


@dataclass(frozen=True, slots=True)
class Commits:
    count: int
    newest: tuple[CommitInfo, ...]
    """Newest first, a bounded number of them."""


@dataclass(frozen=True, slots=True)
class TextDifference:
    lines: tuple[str, ...]
    """As `git diff` writes them; the first ones."""
    more: int
    """Lines that are left out."""


async def commits_behind(mirror: Mirror, old: CommitId, new: CommitId, most: int) -> Commits | None:
    """Commits that are in the new one and not in the old one; None: one of them is not here (any more)."""
    span = f"{old}..{new}"
    try:
        counted = await git(
            mirror.path, "rev-list", "--count", "--end-of-options", span, "--", limit_seconds=LIMIT_SECONDS,
        )
        listed = await git(
            mirror.path, "log", "-z", f"--max-count={most}", f"--format={ABOUT}", "--end-of-options", span, "--",
            limit_seconds=LIMIT_SECONDS,
        )
    except (ProgramFailed, ProgramOverran):
        return None
    fields = listed.stdout.decode(errors="replace").split("\0")
    rows = [fields[first:first + FIELDS] for first in range(0, len(fields) - FIELDS + 1, FIELDS)]
    return Commits(int(counted.text), tuple(
        CommitInfo(CommitId(whole), subject.rstrip(), author.rstrip(), at, TreeId(tree))
        for whole, at, tree, author, subject in rows
    ))


async def authors_between(mirror: Mirror, old: CommitId | None, new: CommitId) -> tuple[str, ...]:
    """Who wrote the commits that are in the new one and not in the old one: `Ada <ada@example.com>`, each once.

    Those who wrote one with others are among them, by its trailers (`Co-authored-by`).

    Raises:
        ProgramFailed, ProgramOverran: One of the commits is not here, or there are too many between them.
    """
    span = new if old is None else f"{old}..{new}"
    found: dict[str, None] = {}
    left = MOST_AUTHORS

    def take(stream: str, line: str) -> None:
        nonlocal left
        if stream == "stdout" and line.strip() and left > 0:
            left -= line.strip() not in found
            found.setdefault(line.strip()[:LONGEST_AUTHOR])

    trailers = "%(trailers:key=Co-authored-by,valueonly=true)"
    await git(
        mirror.path, "log", f"--max-count={MOST_COMMITS}", f"--format=%an <%ae>%n{trailers}", "--end-of-options",
        span, "--", limit_seconds=LIMIT_SECONDS, keep_bytes=1_000, on_line=take,
    )
    return tuple(found)


async def diff_of(
    old: tuple[Mirror, CommitId], new: tuple[Mirror, CommitId], paths: Iterable[str], most_lines: int,
) -> TextDifference | None:
    """How some files differ between commits of two repositories, or of one. None: git cannot say.

    Args:
        paths: Files, or whole folders.
    """
    (mirror, before), (other, after) = old, new
    wanted = [f":(top,literal){path}" for path in sorted(paths)[:MOST_PATHS]]
    if not wanted:
        return TextDifference((), 0)
    objects = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(other.path / "objects")}
    lines: list[str] = []
    total = 0

    def take(stream: str, line: str) -> None:
        nonlocal total
        if stream == "stdout":
            total += 1
            if len(lines) < most_lines:
                lines.append(line)

    try:
        await git(
            mirror.path, "-c", "core.quotePath=false", "diff", "--no-color", "--no-ext-diff", "--no-textconv",
            "--no-renames", "--end-of-options", before, after, "--", *wanted,
            env=objects if other.path != mirror.path else None, limit_seconds=LIMIT_SECONDS, keep_bytes=1_000,
            on_line=take,
        )
    except (ProgramFailed, ProgramOverran):
        return None
    return TextDifference(tuple(lines), total - len(lines))
