"""A forge is a row: settings, addresses and deployments follow from it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiohttp.web import RouteDef
from pydantic import ValidationError

from deployd.forges.known import FORGES
from deployd.intake.ports import Intake
from deployd.intake.webhooks import webhook_routes
from deployd.settings import Remote
from tests.support.forge_deliveries import github, github_push

URL = "https://forge.example/acme/shop.git"
OTHER_WAYS = {"git", "api", "daemon"}
"""What else starts activities, by the names that are kept with them."""


def test_every_forge_has_a_name_of_its_own() -> None:
    assert all(forge.name == name for name, forge in FORGES.items())
    assert OTHER_WAYS.isdisjoint(FORGES)


@pytest.mark.parametrize("name", FORGES)
def test_settings_take_every_forge(name: str) -> None:
    assert Remote.model_validate({"url": URL, "forge": name}).forge == name


def test_settings_list_the_forges_when_there_is_no_such_one() -> None:
    with pytest.raises(ValidationError, match="Input should be 'github'") as caught:
        Remote.model_validate({"url": URL, "forge": "sourceforge"})
    assert all(repr(name) in str(caught.value) for name in FORGES)


def test_every_forge_has_its_address() -> None:
    routes = webhook_routes(Intake({}, None, None, None, None))  # type: ignore[arg-type]
    assert [route.path for route in routes if isinstance(route, RouteDef)] == [
        f"/hooks/{name}/{{project}}" for name in FORGES
    ]


@pytest.mark.parametrize("name", FORGES)
def test_no_secret_proves_nothing(name: str) -> None:
    delivery = github(github_push())
    assert not FORGES[name].is_genuine((), delivery.headers, delivery.body, datetime(2026, 1, 1, tzinfo=UTC))
