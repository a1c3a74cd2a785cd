"""What environments are called, and on which host they are reached."""

from __future__ import annotations

import re

import pytest

from deployd.environment.naming import development_host, environment_type, machine_name
from deployd.settings import ProjectSettings


def project(**more: object) -> ProjectSettings:
    return ProjectSettings.model_validate({"id": "shop", **more})


def test_the_machine_name_begins_with_the_branch_as_the_platforms_tools_expect() -> None:
    assert re.fullmatch(r"master-[a-z0-9]{7}", machine_name("master"))


def test_branches_that_differ_only_in_what_is_cleaned_away_get_different_names() -> None:
    assert machine_name("feature/search") != machine_name("feature-search")
    assert machine_name("feature/search").startswith("feature-search-")


def test_a_branch_without_any_usable_letter_still_has_a_name() -> None:
    assert re.fullmatch(r"branch-[a-z2-7]{7}", machine_name("ÄÖÜ"))


def test_a_very_long_branch_gives_a_name_that_fits_a_host_name() -> None:
    name = machine_name("feature/" + "x" * 300)
    assert len(name) <= 40


@pytest.mark.parametrize("template", ["{environment}-{project}.example.com", "www.{environment}-{project}.example.com"])
def test_a_label_of_a_host_that_is_too_long_is_cut_and_stays_unique(template: str) -> None:
    long, other = "a" * 40, "a" * 39 + "b"
    host = development_host(template, "p" * 32, long)
    assert max(map(len, host.split("."))) <= 63
    assert host.endswith(".example.com")
    assert host != development_host(template, "p" * 32, other)


def test_the_default_branch_is_production_unless_another_is_named() -> None:
    assert environment_type(project(), "main") == "production"
    assert environment_type(project(production_branch="live"), "main") == "development"
    assert environment_type(project(), "staging") == "staging"
