"""What can be done, and who may: one table, for the API, the console and git. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from deployd.access.caller import Caller
from deployd.access.errors import Forbidden, NotFound
from deployd.access.roles import Role


class Action(Enum):
    SEE = "see what there is, and how it is"
    PLAN = "ask what a push would do"
    PUSH = "push, and delete branches"
    DEPLOY = "redeploy, and roll back"
    DELETE = "delete environments"
    RUN_CRON = "run crons now"
    RUN_OPERATION = "run operations that the application's file gives to one's role"
    RUN_SOURCE_OPERATION = "run commands that change the code of a branch"
    LOCK = "lock environments, and unlock them"
    CANCEL = "end an activity before its switch, or try its undo again"
    PREVIEW = "see a new version while visitors wait for it"
    READ_MAIL = "read mails of applications: there are links to reset passwords in them"
    READ_VARIABLES = "read what variables are: who may only look has the repository, and no shell"
    PLAN_VARIABLES = "ask what a change of variables would build and start anew"
    SET_VARIABLES = "set variables of environments"
    SET_SHARED_VARIABLES = "set variables of the project, and of protected environments"
    READ_AUDIT = "read who changed what, and from where"
    SHELL = "be in a running application, and reach its mounts"
    TUNNEL = "reach the services of an environment"
    ACTIVATE = "activate, deactivate and pause environments"
    PROMOTE = "ask for a promotion to a protected environment, and withdraw it"
    APPROVE = "approve promotions, or decline them"
    SKIP_UNDO = "leave an undo that is stuck"
    EMERGENCY = "go past the gate of a protected environment"
    COLLECT = "take away what nobody needs any more"
    MANAGE_PEOPLE = "say who may do what"


LEAST: Mapping[Action, Role] = {
    Action.SEE: Role.VIEWER,
    Action.PLAN: Role.VIEWER,
    Action.PUSH: Role.CONTRIBUTOR,
    Action.DEPLOY: Role.CONTRIBUTOR,
    Action.DELETE: Role.CONTRIBUTOR,
    Action.RUN_CRON: Role.CONTRIBUTOR,
    Action.RUN_OPERATION: Role.VIEWER,
    Action.RUN_SOURCE_OPERATION: Role.CONTRIBUTOR,
    Action.LOCK: Role.CONTRIBUTOR,
    Action.CANCEL: Role.CONTRIBUTOR,
    Action.PREVIEW: Role.CONTRIBUTOR,
    Action.READ_MAIL: Role.CONTRIBUTOR,
    Action.READ_VARIABLES: Role.CONTRIBUTOR,
    Action.PLAN_VARIABLES: Role.CONTRIBUTOR,
    Action.SET_VARIABLES: Role.CONTRIBUTOR,
    Action.SET_SHARED_VARIABLES: Role.ADMIN,
    Action.READ_AUDIT: Role.CONTRIBUTOR,
    Action.SHELL: Role.CONTRIBUTOR,
    Action.TUNNEL: Role.CONTRIBUTOR,
    Action.ACTIVATE: Role.CONTRIBUTOR,
    Action.PROMOTE: Role.CONTRIBUTOR,
    Action.APPROVE: Role.APPROVER,
    Action.SKIP_UNDO: Role.ADMIN,
    Action.EMERGENCY: Role.ADMIN,
    Action.COLLECT: Role.ADMIN,
    Action.MANAGE_PEOPLE: Role.ADMIN,
}
"""The least role that does it."""


OF_THE_HOST = frozenset({Action.COLLECT})
"""What concerns no project in particular: it takes the role in every project."""


def may(caller: Caller, action: Action, project: str | None = None) -> bool:
    """Whether somebody does it.

    Args:
        project: Where; None: not in a particular project, and then a role anywhere is enough unless the action is one
            of the host's. What is found is asked again with its project.
    """
    if project is not None:
        role = caller.role_in(project)
    else:
        role = caller.role_on_host() if action in OF_THE_HOST else caller.role_anywhere()
    return role is not None and role.includes(LEAST[action])


def refuse_unless_may(caller: Caller, action: Action, project: str | None = None) -> None:
    """
    Raises:
        NotFound: The caller may not know of this project, so there is none.
        Forbidden: The caller's role does not do this.
    """
    if project is not None:
        refuse_unless_sees(caller, project)
    if may(caller, action, project):
        return
    if action in OF_THE_HOST:
        raise Forbidden(f"{caller.name} is not {_a(LEAST[action])} of every project, and this needs one")
    role = caller.role_in(project) if project is not None else caller.role_anywhere()
    where = f" of {project}" if project is not None and not caller.is_everywhere else ""
    raise Forbidden(f"{caller.name} is {_a(role) if role else 'nobody'}{where}, and this needs {_a(LEAST[action])}")


def refuse_unless_sees(caller: Caller, project: str) -> None:
    """
    Raises:
        NotFound: The caller may not know of this project, so there is none.
    """
    if not caller.may_see(project):
        raise NotFound(f"there is no project {project}")


def may_in(caller: Caller, action: Action) -> tuple[str, ...] | None:
    """The projects in which somebody does it; None: in all."""
    if (role := caller.role_on_host()) is not None and role.includes(LEAST[action]):
        return None
    return tuple(project for project in caller.roles if may(caller, action, project))


def _a(role: Role) -> str:
    return f"{'an' if role.value[0] in 'aeiou' else 'a'} {role.value}"
