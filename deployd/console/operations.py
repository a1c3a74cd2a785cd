"""Operations of an environment: what its applications' files offer to run on demand, and a button for each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from deployd.access.actions import Action, may
from deployd.access.roles import Role
from deployd.console.asked import Asked
from deployd.console.confirm import address_of
from deployd.errors import DeployError
from deployd.queries.source_operations import SourceOperationShape


async def operations(asked: Asked) -> str:
    found = await asked.environment()
    role = asked.caller.role_in(found.project)
    items = await asked.queries.operations.all(found.project, found.name)
    sources: list[SourceOperationShape] = []
    with suppress(DeployError):   # the files of the branch are wrong: its next push says how
        sources = await asked.queries.source_operations.all(found.project, found.name)
    return await asked.page(
        "operations.html", environment=found, address=address_of(found), sources=sources,
        items=[(item, role is not None and role.includes(Role(item.role))) for item in items],
        changes=may(asked.caller, Action.RUN_SOURCE_OPERATION, found.project),
    )


async def run_operation(asked: Asked, fields: Mapping[str, str]) -> str:
    asked.refuse_unless_may(Action.RUN_OPERATION)
    found = await asked.environment()
    made = await asked.commands.operations.run(
        found.project, found.name, fields.get("operation", ""), fields.get("app") or None, asked.caller.name,
        asked.caller.role_in(found.project),
    )
    asked.noted.append(f"{made.said}; activity {made.id}")
    return f"/activities/{made.id}"


async def run_source_operation(asked: Asked, fields: Mapping[str, str]) -> str:
    asked.refuse_unless_may(Action.RUN_SOURCE_OPERATION)
    found = await asked.environment()
    made = await asked.commands.source_operations.run(
        found.project, found.name, fields.get("operation", ""), asked.caller.name,
    )
    asked.noted.append(f"{made.said}; activity {made.id}")
    return f"/activities/{made.id}"
