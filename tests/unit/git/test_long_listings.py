"""Of a listing that is longer than what is kept of it, the first files would be missing: nobody goes by such a one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deployd.git import mirror as module
from deployd.git.mirror import ListingCut, Mirror
from deployd.ids import CommitId


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Mirror, CommitId]:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=ada", "-c", "user.email=ada@localhost")
        return subprocess.run(("git", "-C", str(tmp_path), *who, *arguments), check=True, capture_output=True,
                              text=True).stdout.strip()

    git("init", "--quiet")
    for name in (".global/bin/composer", *(f"{'z' * 200}{number}" for number in range(10))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    return Mirror(tmp_path / ".git"), CommitId(git("rev-parse", "HEAD"))


async def test_a_listing_that_is_cut_is_none(
    repository: tuple[Mirror, CommitId], monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirror, commit = repository
    whole, digest = await mirror.entries(commit, "", 100), await mirror.listing_digest(commit, "", frozenset())
    assert whole is not None
    assert (len(whole), ".global/bin/composer" in whole, len(digest)) == (11, True, 64)
    monkeypatch.setattr(module, "LARGEST_ENTRIES_BYTES", 1_000)
    monkeypatch.setattr(module, "LARGEST_LISTING_BYTES", 1_000)
    assert await mirror.entries(commit, "", 100) is None
    with pytest.raises(ListingCut):
        await mirror.listing_digest(commit, "", frozenset())
