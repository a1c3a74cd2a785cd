"""What can be compared, how it is named, and that nobody learns of projects that he does not see."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from deployd.access.errors import NotFound
from deployd.activity.journal import write_result
from deployd.errors import Unusable
from deployd.git.history import Commits, TextDifference
from deployd.git.mirror import CommitInfo
from deployd.ids import ActivityId, CommitId, SlugKey, TreeId
from deployd.plan import KeyParts
from deployd.project.model import ReadResult
from deployd.queries.comparisons import ComparisonQueries
from deployd.release.version import AppVersion, Version
from deployd.slugs.compare import FileChange, FileChanges, SlugsNotCompared
from deployd.state import activities, environments
from tests.support.queries_world import NOW, SHOP_MAIN, World

FIRST, SECOND = CommitId("1" * 40), CommitId("2" * 40)
PARTS = KeyParts("t", "s", "v", "i", "r")


class Code:
    """Two commits, the second after the first; their files cannot be read."""

    lines: tuple[str, ...] = ("-a: geheim", "+b")
    there = True

    async def about(self, project: str, commit: CommitId) -> CommitInfo:
        return CommitInfo(commit, f"subject of {commit[:1]}", "Ada", NOW.isoformat(), TreeId("t"))

    async def read(self, project: Any, commit: CommitId) -> ReadResult:
        return ReadResult(None)

    async def commits_behind(self, project: str, old: CommitId, new: CommitId, most: int) -> Commits | None:
        if not self.there:
            return None
        return Commits(1, (await self.about(project, new),)) if new > old else Commits(0, ())

    async def diff(self, old: Any, new: Any, paths: Any, most: int) -> TextDifference | None:
        return TextDifference(self.lines, 5) if self.there else None


class Slugs:
    refuses = False

    async def of(self, one: SlugKey, other: SlugKey) -> FileChanges:
        if self.refuses:
            raise SlugsNotCompared("there are too many")
        return FileChanges(1, 0, 0, 7, (FileChange("added", "x", None, 7),), 0, 0)


def version(number: ActivityId, commit: CommitId) -> str:
    app = AppVersion("app", SlugKey(commit[:1] * 64), "t", "sha256:1", PARTS, "x")
    return write_result(Version(number, commit, (app,), (), ("https://shop.test/",)))


def _set_live(number: ActivityId, text: str, db: Any) -> None:
    environments.set_live(db, SHOP_MAIN, number, text, NOW)


@pytest.fixture
async def numbers(world: World) -> tuple[int, int]:
    """Two versions of an environment; the second is live."""
    found = []
    for commit in (FIRST, SECOND):
        number = await world.add()
        await world.finish(number, "success")
        text = version(number, commit)
        await world.store.write(partial(_set_live, number, text))
        found.append(number)
    return found[0], found[1]


@pytest.fixture
def comparisons(world: World) -> ComparisonQueries:
    parts: Any = (world.store, world.settings, world.environments, Code(), Slugs())

    async def as_seen(project: Any, branch: str) -> Any:
        return project

    return ComparisonQueries(*parts, lambda text: text.replace("geheim", "…"), as_seen)


def everything(project: str) -> bool:
    return True


def nothing(project: str) -> bool:
    return False


async def test_a_side_is_what_is_live_or_a_version_that_is_kept_or_an_activity(
    comparisons: ComparisonQueries, numbers: tuple[int, int],
) -> None:
    first, second = numbers
    for a, b in ((f"shop/main@{first}", "shop/main"), (str(first), str(second)),
                 (f"shop/{SHOP_MAIN.name}@{first}", f"shop/main@{second}")):
        found = await comparisons.of(a, b, everything, with_files=False)
        assert (found.a.commit, found.b.commit, found.relation) == (FIRST, SECOND, "later")
        assert (found.a.live, found.b.live, found.b.subject) == (False, True, "subject of 2")
        assert [item.subject for item in found.commits_added] == ["subject of 2"]
        assert found.configuration == ("-a: …", "+b")
        assert found.configuration_more == 5
        assert len(found.notes) == 2, "their files cannot be read"
        assert found.files == ()
    back = await comparisons.of(found.b.side, found.a.side, everything, with_files=False)
    assert (back.relation, back.commits_removed_count) == ("earlier", 1)
    same = await comparisons.of("shop/main", "shop/main", everything, with_files=True)
    assert (same.relation, same.files) == ("same", ())


async def test_files_of_slugs_are_looked_into_when_they_are_asked_for(
    comparisons: ComparisonQueries, numbers: tuple[int, int], monkeypatch: pytest.MonkeyPatch,
) -> None:
    [files] = (await comparisons.of(str(numbers[0]), "shop/main", everything, with_files=True)).files
    assert (files.app, files.added, files.files[0].path, files.why) == ("app", 1, "x", "")
    monkeypatch.setattr(Slugs, "refuses", True)
    [files] = (await comparisons.of(str(numbers[0]), "shop/main", everything, with_files=True)).files
    assert (files.added, files.why) == (0, "there are too many")


async def test_what_git_has_no_more_is_a_note(
    comparisons: ComparisonQueries, numbers: tuple[int, int], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Code, "there", False)
    found = await comparisons.of(str(numbers[0]), "shop/main", everything, with_files=False)
    assert (found.relation, found.configuration) == ("unknown", ())
    assert "a commit is not there any more" in found.notes[-1]


@pytest.mark.parametrize("side", ["", "shop", "shop/", "/main", "x" * 500, "-1", "a\nb/c", "\u0661"])
async def test_what_is_no_side_is_refused(comparisons: ComparisonQueries, numbers: tuple[int, int], side: str) -> None:
    with pytest.raises(Unusable):
        await comparisons.of(side, "shop/main", everything, with_files=False)


@pytest.mark.parametrize("side", ["99", "9" * 30, "shop/nothing", "shop/main@99", "shop/main@x", "blog/main"])
async def test_what_is_not_there_is_not_found(
    comparisons: ComparisonQueries, numbers: tuple[int, int], side: str,
) -> None:
    with pytest.raises(NotFound):
        await comparisons.of("shop/main", side, everything, with_files=False)


async def test_who_does_not_see_a_project_is_told_what_is_told_of_none(
    comparisons: ComparisonQueries, numbers: tuple[int, int],
) -> None:
    for hidden, missing in (("shop/main", "blog/main"), ("shop/nothing", "blog/nothing"), (str(numbers[0]), "98")):
        with pytest.raises(NotFound) as one:
            await comparisons.of(hidden, hidden, nothing, with_files=False)
        with pytest.raises(NotFound) as other:
            await comparisons.of(missing, missing, nothing, with_files=False)
        told = "\n".join(one.value.lines()).replace("shop", "blog").replace(f"activity {numbers[0]}", "activity 98")
        assert told == "\n".join(other.value.lines())


async def test_an_activity_without_a_plan_has_nothing_to_compare(comparisons: ComparisonQueries, world: World) -> None:
    number = await world.add()
    await world.store.write(lambda db: activities.begin(db, number, NOW))
    with pytest.raises(NotFound, match="has nothing to compare"):
        await comparisons.of(str(number), str(number), everything, with_files=False)
    with pytest.raises(NotFound, match="nothing is live"):
        await comparisons.of("shop/main", str(number), everything, with_files=False)
