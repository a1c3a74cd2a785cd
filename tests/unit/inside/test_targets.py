"""Which part of which environment a user name means, and which role comes in."""

from __future__ import annotations

import pytest

from deployd.access.caller import Caller, roles_of
from deployd.access.errors import Forbidden, NotFound
from deployd.environment.naming import label_of, machine_name, ssh_user
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId, SlugKey
from deployd.inside.targets import NotOpen, choose_part, refuse_at_rest, refuse_unless_role
from deployd.plan import KeyParts
from deployd.release.version import AppVersion, Version
from deployd.settings import Settings

PARTS = KeyParts("tree", "settings", "variables", "image", "recipe")


def version(**apps: tuple[str, ...]) -> Version:
    made = tuple(AppVersion(name, SlugKey("0"), "t", "i", PARTS, "r", workers) for name, workers in apps.items())
    return Version(ActivityId(1), CommitId("c"), made, (), ())


TWO = version(shop=("shop--queue", "shop--mail"), admin=("admin--queue",))


@pytest.mark.parametrize(("wanted", "expected"), [
    ("", "shop"), ("shop", "shop"), ("admin", "admin"), ("mail", "shop--mail"), ("admin--queue", "admin--queue"),
])
def test_a_part_is_found_by_what_people_call_it(wanted: str, expected: str) -> None:
    assert choose_part(TWO, wanted) == expected


@pytest.mark.parametrize(("wanted", "said"), [("queue", "several workers"), ("no", "no application and no worker no")])
def test_a_part_that_is_none_or_several_is_refused(wanted: str, said: str) -> None:
    with pytest.raises(NotFound, match=said):
        choose_part(TWO, wanted)
    with pytest.raises(NotFound):
        choose_part(version(), "")


@pytest.mark.parametrize(("branch", "expected"), [
    ("main", "main.shop"), ("feature-x", "feature-x.shop"), ("feature/x", f"{machine_name('feature/x')}.shop"),
    ("Main", f"{machine_name('Main')}.shop"), ("x" * 60, f"{machine_name('x' * 60)}.shop"),
])
def test_the_user_name_of_an_environment_finds_it_again(branch: str, expected: str) -> None:
    assert ssh_user(EnvironmentId(ProjectId("shop"), machine_name(branch)), branch) == expected
    assert label_of("feature/x") == "feature-x"


@pytest.mark.parametrize(("role", "least", "comes_in"), [
    ("contributor", "contributor", True), ("contributor", "approver", False), ("approver", "approver", True),
    ("admin", "approver", True), ("contributor", "", True), ("contributor", "no role", True),
])
def test_an_environment_may_ask_for_more(role: str, least: str, comes_in: bool) -> None:
    caller = Caller("ada", roles_of(role, ("shop",)))
    if comes_in:
        refuse_unless_role(caller, "shop", "main", least, "the settings")
    else:
        with pytest.raises(Forbidden, match="ada is contributor of shop, and main takes approver for SSH"):
            refuse_unless_role(caller, "shop", "main", least, "the settings")


def test_the_settings_say_it_for_a_project_or_one_environment() -> None:
    environments = {"main": {"access": {"ssh": "admin"}}, "x": {}}
    projects = {"shop": {"environments": environments}, "blog": {"access": {"ssh": "approver"}}}
    settings = Settings.model_validate({"directory": "/d", "projects": projects})
    shop, blog = settings.projects[ProjectId("shop")], settings.projects[ProjectId("blog")]
    assert [shop.ssh_role("main"), shop.ssh_role("x"), blog.ssh_role("main")] == ["admin", "contributor", "approver"]


def test_what_is_at_rest_says_how_it_comes_back() -> None:
    refuse_at_rest("main", "shop", "")
    refuse_at_rest("main", "shop", None)
    with pytest.raises(NotOpen, match="main of shop is paused") as paused:
        refuse_at_rest("main", "shop", "paused")
    assert "its next visitor wakes it" in paused.value.hint
    with pytest.raises(NotOpen, match="is not active") as inactive:
        refuse_at_rest("main", "shop", "inactive")
    assert inactive.value.hint == "`deployd environment activate shop main`"
