"""What GitHub's deliveries prove and say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from deployd.forges import github as forge
from deployd.forges.forge import Ignored, Ping, Unreadable
from deployd.forges.github import GITHUB
from deployd.ids import ProjectId
from deployd.intake.deliveries import read_delivery
from deployd.intake.push import Push
from deployd.settings import ProjectSettings, Remote
from tests.support.forge_deliveries import ZERO, A, B, Delivery, github, github_push

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHOP = ProjectSettings(id=ProjectId("shop"), remote=Remote(url="https://github.com/acme/shop.git", forge="github"))


def parse(payload: Any, **more: Any) -> Any:
    delivery = github(payload, **more)
    return read_delivery(SHOP, GITHUB, delivery.headers, delivery.body)


def genuine(delivery: Delivery, *secrets: str) -> bool:
    return forge.is_genuine(secrets, delivery.headers, delivery.body, NOW)


def test_the_example_of_githubs_documentation_is_genuine() -> None:
    """Secret, payload and signature as printed in "Validating webhook deliveries"."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert forge.is_genuine(["It's a Secret to Everybody"], {forge.SIGNATURE: signature}, b"Hello, World!", NOW)


def test_the_right_secret_is_genuine_and_a_changed_byte_is_not() -> None:
    delivery = github(github_push())
    assert genuine(delivery, "s3cret")
    assert not genuine(Delivery(delivery.headers, delivery.body + b" "), "s3cret")
    assert not genuine(delivery, "other")
    assert not genuine(delivery)


def test_in_a_change_of_secrets_the_old_and_the_new_one_hold() -> None:
    assert genuine(github(github_push(), secret="old"), "new", "old")
    assert genuine(github(github_push(), secret="new"), "new", "old")


@pytest.mark.parametrize("signature", [None, "", "sha256=", "sha1=abc", "sha256=" + "0" * 64, "\udcff", "sha256=ü"])
def test_a_missing_or_strange_signature_is_not_genuine(signature: str | None) -> None:
    assert not genuine(github(github_push()).with_headers(X_Hub_Signature_256=signature), "s3cret")


def test_the_old_sha1_signature_alone_is_no_proof() -> None:
    delivery = github(github_push()).with_headers(X_Hub_Signature_256=None)
    assert not forge.has_proof(delivery.headers)


def test_a_push_is_a_push() -> None:
    assert parse(github_push()) == Push(
        ProjectId("shop"), "main", A, B, "github", "ada", "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    )


def test_a_form_holds_the_same() -> None:
    assert parse(github_push(), form=True) == parse(github_push())


def test_a_branch_with_slashes_and_accents_keeps_its_name() -> None:
    assert parse(github_push(branch="feature/größe-2")).branch == "feature/größe-2"


def test_a_forced_push_is_marked() -> None:
    assert parse(github_push(forced=True)).forced


@pytest.mark.parametrize("zeros", [40, 64])
def test_a_deleted_branch_is_no_commit(zeros: int) -> None:
    push = parse(github_push(branch="feature", after="0" * zeros, before="d" * zeros))
    assert isinstance(push, Push)
    assert push.deleted


def test_a_new_branch_has_nothing_before() -> None:
    push = parse(github_push(branch="feature", before=ZERO))
    assert not push.deleted
    assert push.old == ZERO


def test_production_stays_when_its_branch_is_deleted() -> None:
    assert isinstance(parse(github_push(after=ZERO)), Ignored)


def test_a_ping_is_a_ping() -> None:
    assert parse({"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {}}, event="ping") == Ping(
        "Keep it logically awesome.",
    )


@pytest.mark.parametrize(("payload", "event", "reason"), [
    (github_push(ref="refs/tags/v1"), "push", "tags are not deployed"),
    (github_push(branch="gh-readonly-queue/main/pr-12-abc"), "push", "merge queue"),
    (github_push(branch="dependabot/npm/left-pad"), "push", "bot"),
    (github_push(repository="acme/blog"), "push", "acme/blog"),
    ({"ref": "x", "ref_type": "branch"}, "create", "push event says the same"),
    ({"action": "opened", "number": 1}, "pull_request", "pull requests"),
    ({"action": "created"}, "deployment_status", "deployd makes these itself"),
    ({"action": "created"}, "star", "star starts nothing"),
    ({"action": "created"}, "", "(none) starts nothing"),
])
def test_what_starts_nothing_says_why(payload: Any, event: str, reason: str) -> None:
    said = parse(payload, event=event)
    assert isinstance(said, Ignored)
    assert reason in said.reason


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in github_push().items() if key != name}


@pytest.mark.parametrize(("payload", "lacks"), [
    (without("after"), "after"),
    (without("ref"), "ref"),
    (without("repository"), "repository.full_name"),
    ({**github_push(), "repository": "acme/shop"}, "repository.full_name"),
    ({**github_push(), "after": "HEAD"}, "ids of commits"),
    ({**github_push(), "after": 7}, "after"),
    (github_push(branch="x\ny"), "name of a branch"),
    (github_push(ref="refs/heads/"), "name of a branch"),
    ([1], "not a JSON object"),
])
def test_what_cannot_be_read_names_what_it_lacks(payload: Any, lacks: str) -> None:
    said = parse(payload)
    assert isinstance(said, Unreadable)
    assert lacks in said.lacks


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"payload=x"])
def test_bodies_that_are_not_json_are_unreadable(body: bytes) -> None:
    assert isinstance(read_delivery(SHOP, GITHUB, github(github_push()).headers, body), Unreadable)


@pytest.mark.parametrize("body", [b"", b"other=1", b"&".join(b"a=1" for _ in range(50)), b"payload=%ff"])
def test_forms_without_a_payload_are_unreadable(body: bytes) -> None:
    assert isinstance(read_delivery(SHOP, GITHUB, github(github_push(), form=True).headers, body), Unreadable)


@pytest.mark.parametrize(("url", "repository", "mine"), [
    ("https://github.com/acme/shop.git", "acme/shop", True),
    ("https://github.com/Acme/Shop", "acme/shop", True),
    ("https://user:secret@git.example/gitlab/group/sub/shop.git", "group/sub/shop", True),
    ("git@github.com:acme/shop.git", "acme/shop", True),
    ("ssh://git@github.com:22/acme/shop.git/", "acme/shop", True),
    ("https://github.com/acme/shop.git", "acme/shop2", False),
    ("https://github.com/acme/shop.git", "evil/shop", False),
    ("https://github.com/acme/bookshop.git", "shop", False),
    ("/srv/git/shop.git", "anybody/anything", True),
    ("file:///srv/git/shop.git", "anybody/anything", True),
])
def test_a_push_of_another_repository_is_not_ours(url: str, repository: str, mine: bool) -> None:
    project = ProjectSettings(id=ProjectId("shop"), remote=Remote(url=url))
    delivery = github(github_push(repository=repository) if "/" in repository else {
        **github_push(), "repository": {"full_name": repository},
    })
    assert isinstance(read_delivery(project, GITHUB, delivery.headers, delivery.body), Push if mine else Ignored)
