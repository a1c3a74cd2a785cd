"""Operations of an environment: what its applications' files offer to run on demand, and a button for each."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.access.actions import Action
from deployd.access.roles import Role
from deployd.console.asked import Asked
from deployd.console.confirm import address_of


async def operations(asked: Asked) -> str:
    found = await asked.environment()
    role = asked.caller.role_in(found.project)
    items = await asked.queries.operations.all(found.project, found.name)
    return await asked.page(
        "operations.html", environment=found, address=address_of(found),
        items=[(item, role is not None and role.includes(Role(item.role))) for item in items],
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
