"""What can be done, and who may: one table, for the API, the console and git. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from deployd.access.caller import Caller
from deployd.access.errors import Forbidden, NotFound


class Role(Enum):
    """From the least to the most: who has one may all that the roles before it may."""

    VIEWER = "viewer"
    CONTRIBUTOR = "contributor"
    APPROVER = "approver"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class Action(Enum):
    SEE = "see what there is, and how it is"
    PLAN = "ask what a push would do"
    PUSH = "push, and delete branches"
    DEPLOY = "redeploy, and roll back"
    DELETE = "delete environments"
    RUN_CRON = "run crons now"
    LOCK = "lock environments, and unlock them"
    PROMOTE = "ask for a promotion"
    APPROVE = "approve a promotion, or decline it"
    EMERGENCY = "open the gate of a protected environment for an emergency"
    CANCEL = "end an activity before its switch, or try its undo again"
    PREVIEW = "see a new version while visitors wait for it"
    READ_MAIL = "read mails of applications: there are links to reset passwords in them"
    READ_AUDIT = "read who changed what, and from where"
    SKIP_UNDO = "leave an undo that is stuck"
    COLLECT = "take away what nobody needs any more"


LEAST: Mapping[Action, Role] = {
    Action.SEE: Role.VIEWER,
    Action.PLAN: Role.VIEWER,
    Action.PUSH: Role.CONTRIBUTOR,
    Action.DEPLOY: Role.CONTRIBUTOR,
    Action.DELETE: Role.CONTRIBUTOR,
    Action.RUN_CRON: Role.CONTRIBUTOR,
    Action.LOCK: Role.CONTRIBUTOR,
    Action.PROMOTE: Role.CONTRIBUTOR,
    Action.APPROVE: Role.APPROVER,
    Action.EMERGENCY: Role.ADMIN,
    Action.CANCEL: Role.CONTRIBUTOR,
    Action.PREVIEW: Role.CONTRIBUTOR,
    Action.READ_MAIL: Role.CONTRIBUTOR,
    Action.READ_AUDIT: Role.CONTRIBUTOR,
    Action.SKIP_UNDO: Role.ADMIN,
    Action.COLLECT: Role.ADMIN,
}
"""The least role that does it."""


def may(role: str, action: Action) -> bool:
    """Whether a role does it. An unknown role does nothing."""
    return role in {known.value for known in Role} and Role(role).includes(LEAST[action])


def refuse_unless_may(caller: Caller, action: Action) -> None:
    """
    Raises:
        Forbidden: The caller's role does not do this.
    """
    if not may(caller.role, action):
        raise Forbidden(f"{caller.name} is a {caller.role}, and this needs a {LEAST[action].value}")


def refuse_unless_sees(caller: Caller, project: str) -> None:
    """
    Raises:
        NotFound: The caller may not know of this project, so there is none.
    """
    if not caller.may_see(project):
        raise NotFound(f"there is no project {project}")
