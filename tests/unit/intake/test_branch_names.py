"""What branches and tags may be called, and which refs a push may bring."""

from __future__ import annotations

import pytest

from deployd.environment import branches
from deployd.environment.branches import namesake, oddity
from deployd.forges.forge import Ignored, RefMoved
from deployd.ids import CommitId, EnvironmentName, ProjectId
from deployd.intake.accepted_refs import MOST_BRANCHES, MOST_TOLD, Ref, refused_refs
from deployd.intake.deliveries import push_of
from deployd.intake.push import Push
from deployd.settings import ProjectSettings

SHOP = ProjectSettings(id=ProjectId("shop"))
OLD, NEW, NOTHING = CommitId("a" * 40), CommitId("b" * 40), CommitId("0" * 40)
ODD = {
    "HEAD": "git uses itself", "FETCH_HEAD": "git uses itself", "ORIG_HEAD": "git uses itself", "@": "git uses itself",
    "refs": "git uses itself", "refs/heads/main": "git uses itself", "refs/replace/x": "git uses itself",
    "-delete": "a dash", "--upload-pack=x": "a dash", "a" * 40: "a commit's id", "0" * 64: "a commit's id",
    "x" * 201: "201 bytes", "ü" * 101: "202 bytes", "": "no name",
    "a\x1b[31mb": "cannot be shown", "a\nb": "cannot be shown", "a\tb": "cannot be shown", "a\x7fb": "cannot be shown",
    "mai\u202en": "cannot be shown", "ma\u200bin": "cannot be shown", "ma\udcffin": "cannot be shown",
    "ma\xa0in": "cannot be shown", "ma\ue000in": "cannot be shown",
}
GOOD = ("main", "feature/Search!", "head", "HEADS", "v1.0", "größer", "x" * 200, "a" * 39, "a-", "refs-new", "日本")


def push(branch: str, new: CommitId = NEW) -> Push:
    return Push(SHOP.id, branch, OLD, new, "git", "ada")


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_told(name: str) -> None:
    assert ODD[name] in (oddity(name) or "")


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_good(name: str) -> None:
    assert oddity(name) is None
    assert refused_refs(SHOP, [push(name)], [Ref(f"refs/tags/{name}")]) == []


@pytest.mark.parametrize("name", [name for name in ODD if name])
def test_an_odd_branch_or_tag_is_refused_with_a_sentence_that_a_terminal_can_show(name: str) -> None:
    for refusals in (refused_refs(SHOP, [push(name)], []), refused_refs(SHOP, [], [Ref(f"refs/tags/{name}")])):
        what, hint = refusals
        assert ODD[name] in what
        assert hint.startswith("hint: ")
        assert "".join(refusals).isprintable()


@pytest.mark.parametrize("name", ["refs/replace/" + "a" * 40, "refs/notes/commits", "refs/pull/1/head", "refs/x",
                                  "refs/stash", "refs/remotes/origin/main", "refs/headsmain", "refs/deployd/x"])
def test_whatever_is_neither_branch_nor_tag_is_refused_and_may_be_deleted(name: str) -> None:
    assert "neither a branch nor a tag" in refused_refs(SHOP, [], [Ref(name)])[0]
    assert refused_refs(SHOP, [], [Ref(name, deleted=True)]) == []


def test_an_odd_branch_that_is_there_may_be_deleted() -> None:
    assert refused_refs(SHOP, [push("HEAD", NOTHING)], []) == []


def test_production_is_not_deleted() -> None:
    assert "is production" in refused_refs(SHOP, [push("main", NOTHING)], [])[0]


def test_very_many_branches_are_refused_in_two_lines() -> None:
    assert refused_refs(SHOP, [push(f"b{number}") for number in range(MOST_BRANCHES)], []) == []
    what, hint = refused_refs(SHOP, [push(f"b{number}") for number in range(MOST_BRANCHES + 1)], [])
    assert "101 branches" in what
    assert "100 at once" in hint


def test_very_many_odd_names_are_told_in_few_lines() -> None:
    refusals = refused_refs(SHOP, [], [Ref(f"refs/x/{number}") for number in range(4000)])
    assert len(refusals) == MOST_TOLD * 2 + 1


def test_a_branch_whose_environment_would_be_another_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """35 bits of a hash: nobody finds such a name by chance, and a fast machine finds one in minutes."""
    monkeypatch.setattr(branches, "machine_name", lambda branch: EnvironmentName(branch.strip("!")))
    assert namesake("main!", ["main", "other"]) == "main"
    assert namesake("main", ["main", "other"]) is None
    assert "main! and main would have one environment" in refused_refs(SHOP, [push("main!")], [])[0]
    assert "a! and a would have" in refused_refs(SHOP, [push("a!"), push("a")], [])[0]
    assert "is production" in refused_refs(SHOP, [push("main!", NOTHING)], [])[0]


def test_a_protected_branch_is_deleted_by_nobody_and_no_other_takes_the_name_of_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guarded = ProjectSettings.model_validate({
        "id": "far", "remote": {"url": "https://forge.example/acme/far.git"},
        "environments": {"staging": {"protected": True}},
    })
    assert "staging is protected" in refused_refs(guarded, [push("staging", NOTHING)], [])[0]
    assert refused_refs(guarded, [push("other", NOTHING), push("staging")], []) == []
    gone = push_of(guarded, "github", RefMoved("acme/far", "refs/heads/staging", OLD, NOTHING, "ada", "1"))
    assert isinstance(gone, Ignored)
    assert "its environment stays" in gone.reason
    monkeypatch.setattr(branches, "machine_name", lambda name: EnvironmentName(name.rstrip("!")))
    assert "staging! and staging would have one environment" in refused_refs(guarded, [push("staging!")], [])[0]
    assert "is protected" in refused_refs(guarded, [push("staging!", NOTHING)], [])[0]


@pytest.mark.parametrize("name", [name for name in ODD if name and name.isprintable()])
def test_a_webhook_about_an_odd_branch_starts_nothing(name: str) -> None:
    far = ProjectSettings.model_validate({"id": "far", "remote": {"url": "https://forge.example/acme/far.git"}})
    found = push_of(far, "github", RefMoved("acme/far", f"refs/heads/{name}", OLD, NEW, "ada", "1"))
    assert isinstance(found, Ignored)
    assert ODD[name] in found.reason
