"""Who may do what: one table."""

from __future__ import annotations

import pytest

from deployd.access.actions import LEAST, Action, may, may_in, refuse_unless_may
from deployd.access.caller import NOBODY, Caller
from deployd.access.errors import Forbidden, NotFound
from deployd.access.roles import EVERY, Role, capped

ADMINS = {Action.SKIP_UNDO, Action.COLLECT, Action.EMERGENCY, Action.MANAGE_PEOPLE,
          Action.SET_SHARED_VARIABLES}
MAY = {
    "viewer": {Action.SEE, Action.PLAN, Action.RUN_OPERATION},
    "contributor": set(Action) - ADMINS - {Action.APPROVE},
    "approver": set(Action) - ADMINS,
    "admin": set(Action),
}


@pytest.mark.parametrize("role", ["viewer", "contributor", "approver", "admin"])
def test_what_each_role_may(role: str) -> None:
    assert {action for action in Action if may(Caller("ada", {EVERY: Role(role)}), action)} == MAY[role]


def test_nobody_may_do_anything() -> None:
    assert not any(may(NOBODY, action) or may(NOBODY, action, "shop") for action in Action)


def test_a_role_counts_where_it_was_given() -> None:
    ada = Caller("ada", {"shop": Role.ADMIN, "blog": Role.VIEWER})
    assert may(ada, Action.DELETE, "shop")
    assert not may(ada, Action.DELETE, "blog")
    assert not may(ada, Action.SEE, "other")
    assert may(ada, Action.READ_AUDIT), "somewhere: what is found is asked again"
    assert not may(ada, Action.COLLECT), "the whole host is more than one project"
    assert may_in(ada, Action.READ_AUDIT) == ("shop",)
    assert may_in(ada, Action.SEE) == ("shop", "blog")
    assert may_in(Caller("eve", {EVERY: Role.VIEWER, "shop": Role.ADMIN}), Action.SEE) is None
    assert may_in(Caller("eve", {EVERY: Role.VIEWER, "shop": Role.ADMIN}), Action.DELETE) == ("shop",)
    with pytest.raises(NotFound):
        refuse_unless_may(ada, Action.SEE, "other")
    with pytest.raises(Forbidden, match="ada is a viewer of blog, and this needs a contributor"):
        refuse_unless_may(ada, Action.DELETE, "blog")


def test_a_token_has_no_more_than_its_owner_nor_than_itself() -> None:
    roles = {EVERY: Role.CONTRIBUTOR, "shop": Role.ADMIN}
    assert capped(roles, Role.VIEWER) == {EVERY: Role.VIEWER, "shop": Role.VIEWER}
    assert capped(roles, Role.ADMIN, ("shop",)) == {"shop": Role.ADMIN}
    assert capped(roles, Role.ADMIN, ("blog",)) == {"blog": Role.CONTRIBUTOR}
    assert capped({"shop": Role.ADMIN}, Role.ADMIN, ("blog",)) == {}
    assert capped({"shop": Role.ADMIN}, Role.APPROVER) == {"shop": Role.APPROVER}


def test_every_action_has_its_least_role_and_roles_grow() -> None:
    assert LEAST.keys() == set(Action)
    assert MAY["viewer"] < MAY["contributor"] < MAY["approver"] < MAY["admin"]
    assert [role.value for role in Role] == list(MAY)


def test_who_may_not_is_told_what_it_needs() -> None:
    with pytest.raises(Forbidden, match="ada is not an admin of every project, and this needs one"):
        refuse_unless_may(Caller("ada", {EVERY: Role.VIEWER}), Action.COLLECT)
    with pytest.raises(Forbidden):
        refuse_unless_may(NOBODY, Action.SEE)
