"""What GitLab's deliveries prove and say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployd.forges import gitlab as forge
from deployd.forges.forge import Ignored, Unreadable
from deployd.forges.gitlab import GITLAB
from deployd.ids import ProjectId
from deployd.intake.deliveries import read_delivery
from deployd.intake.push import Push
from deployd.settings import ProjectSettings, Remote
from tests.support.forge_deliveries import SIGNING_TOKEN, ZERO, A, B, Delivery, gitlab, gitlab_push

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHOP = ProjectSettings(id=ProjectId("shop"), remote=Remote(url="https://gitlab.com/acme/shop.git", forge="gitlab"))


def parse(payload: Any, **more: Any) -> Any:
    delivery = gitlab(payload, **more)
    return read_delivery(SHOP, GITLAB, delivery.headers, delivery.body)


def genuine(delivery: Delivery, *secrets: str, now: datetime = NOW) -> bool:
    return forge.is_genuine(secrets, delivery.headers, delivery.body, now)


def signed(now: datetime = NOW) -> Delivery:
    return gitlab(gitlab_push(), token=None, signing=SIGNING_TOKEN, now=now)


def test_the_example_of_standard_webhooks_is_genuine() -> None:
    """Key, id, time, body and signature of the test vector in the specification's libraries."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    then = datetime.fromtimestamp(1614265330, UTC)
    assert forge.is_genuine([key], headers, b'{"test": 2432232314}', then)


def test_the_token_is_compared_whole() -> None:
    assert genuine(gitlab(gitlab_push()), "s3cret")
    assert genuine(gitlab(gitlab_push()), "new", "s3cret")
    for wrong in ("s3cre", "s3cret2", "S3CRET", "\udcff"):
        assert not genuine(gitlab(gitlab_push(), token=wrong), "s3cret")
    assert not genuine(gitlab(gitlab_push(), token=None), "s3cret")


def test_a_signature_is_bound_to_body_time_and_id() -> None:
    delivery = signed()
    assert genuine(delivery, SIGNING_TOKEN)
    assert not genuine(Delivery(delivery.headers, delivery.body + b" "), SIGNING_TOKEN)
    assert not genuine(delivery.with_headers(webhook_id="other"), SIGNING_TOKEN)
    assert not genuine(delivery.with_headers(webhook_timestamp=str(int(NOW.timestamp()) + 1)), SIGNING_TOKEN)


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (299, True), (-299, True), (302, False), (-302, False)])
def test_a_signature_is_good_for_five_minutes(seconds: int, fresh: bool) -> None:
    assert genuine(signed(), SIGNING_TOKEN, now=NOW + timedelta(seconds=seconds)) is fresh


def test_one_of_several_signatures_is_enough() -> None:
    delivery = signed()
    both = f"v1,AAAA v2,BBBB {delivery.headers['webhook-signature']}"
    assert genuine(delivery.with_headers(webhook_signature=both), SIGNING_TOKEN)


@pytest.mark.parametrize("changed", [
    {"webhook_signature": ""}, {"webhook_signature": "v1,"}, {"webhook_signature": "v1"},
    {"webhook_signature": "\udcff"}, {"webhook_timestamp": ""}, {"webhook_timestamp": "now"},
    {"webhook_timestamp": "9" * 5000}, {"webhook_timestamp": "-1"}, {"webhook_timestamp": "²"},
])
def test_strange_signed_forms_are_not_genuine(changed: dict[str, str]) -> None:
    assert not genuine(signed().with_headers(**changed), SIGNING_TOKEN)


def test_while_a_hook_changes_its_scheme_both_hold() -> None:
    secrets = ("s3cret", SIGNING_TOKEN)
    assert genuine(gitlab(gitlab_push()), *secrets)
    assert genuine(signed(), *secrets)
    assert genuine(gitlab(gitlab_push(), signing=SIGNING_TOKEN, now=NOW), *secrets)


def test_a_signing_token_sent_as_the_plain_token_is_no_proof() -> None:
    assert not genuine(gitlab(gitlab_push(), token=SIGNING_TOKEN), SIGNING_TOKEN)


def test_a_signing_token_that_is_not_base64_never_holds() -> None:
    assert not genuine(signed(), "whsec_!!!")


def test_a_push_is_a_push() -> None:
    assert parse(gitlab_push()) == Push(
        ProjectId("shop"), "main", A, B, "gitlab", "ada", "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
    )


def test_a_system_hook_is_read_by_its_event_name() -> None:
    payload = {name: value for name, value in gitlab_push().items() if name != "object_kind"}
    assert isinstance(parse(payload, event="System Hook"), Push)


def test_a_deleted_branch_is_no_commit() -> None:
    assert parse(gitlab_push(branch="feature", after=ZERO)).deleted


def test_old_servers_get_an_id_from_event_and_body() -> None:
    first = parse(gitlab_push(), delivery=None)
    assert parse(gitlab_push(), delivery=None).delivery == first.delivery
    assert parse(gitlab_push(after="d" * 40), delivery=None).delivery != first.delivery
    older = gitlab(gitlab_push(), delivery=None).with_headers(X_Gitlab_Event_UUID=None)
    push = read_delivery(SHOP, GITLAB, older.headers, older.body)
    assert isinstance(push, Push)
    assert push.delivery == ""


@pytest.mark.parametrize(("payload", "event", "reason"), [
    ({**gitlab_push(), "object_kind": "tag_push", "ref": "refs/tags/v1"}, "Tag Push Hook", "tags are not deployed"),
    ({"object_kind": "merge_request"}, "Merge Request Hook", "merge requests"),
    ({"object_kind": "pipeline"}, "Pipeline Hook", "pipeline starts nothing"),
    ({"event_name": "user_create"}, "System Hook", "user_create starts nothing"),
    ({}, "Note Hook", "Note Hook starts nothing"),
    (gitlab_push(repository="acme/blog"), "Push Hook", "acme/blog"),
    (gitlab_push(after=ZERO), "Push Hook", "production"),
])
def test_what_starts_nothing_says_why(payload: Any, event: str, reason: str) -> None:
    said = parse(payload, event=event)
    assert isinstance(said, Ignored)
    assert reason in said.reason


@pytest.mark.parametrize(("changed", "lacks"), [
    ({"project": None}, "project.path_with_namespace"), ({"before": None}, "before"),
    ({"after": "x"}, "ids of commits"),
])
def test_a_custom_template_names_what_it_lacks(changed: dict[str, Any], lacks: str) -> None:
    said = parse({**gitlab_push(), **changed})
    assert isinstance(said, Unreadable)
    assert lacks in said.lacks
