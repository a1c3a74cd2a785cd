"""Who may do what: one table."""

from __future__ import annotations

import pytest

from deployd.access.actions import LEAST, Action, Role, may, refuse_unless_may
from deployd.access.caller import NOBODY, Caller
from deployd.access.errors import Forbidden

MAY = {
    "viewer": {Action.SEE, Action.PLAN},
    "contributor": set(Action) - {Action.SKIP_UNDO, Action.COLLECT},
    "admin": set(Action),
}


@pytest.mark.parametrize("role", ["viewer", "contributor", "admin"])
def test_what_each_role_may(role: str) -> None:
    assert {action for action in Action if may(role, action)} == MAY[role]


@pytest.mark.parametrize("role", ["", "owner", "Admin", "ADMIN", " admin"])
def test_an_unknown_role_may_nothing(role: str) -> None:
    assert not any(may(role, action) for action in Action)


def test_every_action_has_its_least_role_and_roles_grow() -> None:
    assert LEAST.keys() == set(Action)
    assert MAY["viewer"] < MAY["contributor"] < MAY["admin"]
    assert [role.value for role in Role] == list(MAY)


def test_who_may_not_is_told_what_it_needs() -> None:
    with pytest.raises(Forbidden, match="ada is a viewer, and this needs a admin"):
        refuse_unless_may(Caller("ada", "viewer"), Action.COLLECT)
    with pytest.raises(Forbidden):
        refuse_unless_may(NOBODY, Action.SEE)
