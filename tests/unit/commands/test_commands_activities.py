"""What ends an activity, and what does not."""

from __future__ import annotations

import pytest

from deployd.commands.activities import AlreadyEnded
from tests.support.commands_world import World, version


async def test_what_has_ended_is_not_cancelled(world: World) -> None:
    await world.went_live(version("a"))
    with pytest.raises(AlreadyEnded, match="activity 1 has ended already as success, at 10:00:00"):
        await world.activities.cancel(1, "ada")
    world.lanes.open = {1}
    assert (await world.activities.cancel(1, "ada")).id == 1
