"""The machine, told in two strings: what happens, and what it does then.

`!` is the daemon's death and its next start, `-step` an undo.
"""

import pytest

from tests.doubles.activity_world import PUSH, World

TO_HOOK = "plan build pack apps freeze hook"
TO_SWITCH = f"{TO_HOOK} healthy switch"
BUILT_AGAIN = f"plan build {TO_SWITCH.removeprefix('plan ')}"

STORIES = [
    ("", f"{TO_SWITCH} post retire = success"),
    ("plan:fail", "plan = failed"),
    ("plan:bug", "plan = failed"),
    ("build:fail", "plan build -build = failed"),
    ("build:group", "plan build -build = failed"),
    ("build:over", "plan build -build = failed"),
    ("build:own-timeout", "plan build -build = failed"),
    ("build:stray", "plan build -build = failed"),
    ("hook:fail", f"{TO_HOOK} -hook -freeze -apps -build = failed"),
    ("healthy:fail", f"{TO_HOOK} healthy -hook -freeze -apps -build = failed"),
    ("post:fail", f"{TO_SWITCH} post retire = failed"),
    ("post:over", f"{TO_SWITCH} post retire = failed"),
    ("retire:bug", f"{TO_SWITCH} post retire = failed"),
    # What is worth another try, and for how long.
    ("build:again", f"{BUILT_AGAIN} post retire = success"),
    ("build:group-again", f"{BUILT_AGAIN} post retire = success"),
    ("build:again " * 5, "plan build build build build build -build = failed"),
    ("build:away", f"{BUILT_AGAIN} post retire = success"),
    ("retire:again", f"{TO_SWITCH} post retire retire = success"),
    # Deaths of the daemon.
    ("hook:crash", f"{TO_HOOK} ! hook healthy switch post retire = success"),
    ("switch:crash", f"{TO_SWITCH} ! switch post retire = success"),
    ("hook:crash hook:fail", f"{TO_HOOK} ! hook -hook -freeze -apps -build = failed"),
    ("hook:fail -freeze:crash", f"{TO_HOOK} -hook -freeze ! -freeze -apps -build = failed"),
    ("post:crash", f"{TO_SWITCH} post ! post retire = success"),
    # Cancellations: before the switch they end the step under way, from the switch on they come too late.
    ("build:cancel", "plan build -build = cancelled"),
    ("build:supersede", "plan build -build = superseded"),
    ("build:late", "plan build -build = cancelled"),
    ("plan:cancel", "plan = cancelled"),
    ("hook:cancel", f"{TO_HOOK} -hook -freeze -apps -build = cancelled"),
    ("hook:cancel -freeze:crash", f"{TO_HOOK} -hook -freeze ! -freeze -apps -build = cancelled"),
    ("hook:late", f"{TO_HOOK} -hook -freeze -apps -build = cancelled"),
    ("switch:late", f"{TO_SWITCH} post retire = success"),
    ("post:late", f"{TO_SWITCH} post retire = success"),
    ("post:late retire:crash", f"{TO_SWITCH} post retire ! retire = success"),
    ("switch:late post:crash", f"{TO_SWITCH} post ! post retire = success"),
    ("switch:late retire:again", f"{TO_SWITCH} post retire retire = success"),
    # Held: what was begun is undone, and it waits; whoever wants its end gets it.
    ("pack:hold", "plan build pack -build = pending"),
    ("pack:hold -build:crash", "plan build pack -build ! -build = pending"),
    ("pack:hold -build:late", "plan build pack -build = cancelled"),
    # The switch: in doubt it is done again, never undone; refused for certain, everything else is undone.
    ("switch:doubt", f"{TO_SWITCH} switch post retire = success"),
    ("switch:over", f"{TO_SWITCH} switch post retire = success"),
    ("switch:bug", f"{TO_SWITCH} switch post retire = success"),
    ("switch:again", f"{TO_SWITCH} switch post retire = success"),
    ("switch:again switch:again switch:again switch:again", f"{TO_SWITCH} {'switch ' * 4}post retire = success"),
    ("switch:doubt switch:crash", f"{TO_SWITCH} switch ! switch post retire = success"),
    ("switch:refused", f"{TO_SWITCH} -hook -freeze -apps -build = failed"),
    ("switch:refused -hook:crash", f"{TO_SWITCH} -hook ! -hook -freeze -apps -build = failed"),
    # An undo that fails is tried again, for as long as it takes.
    ("hook:fail -freeze:fail", f"{TO_HOOK} -hook -freeze -freeze -apps -build = failed"),
    ("hook:fail -freeze:bug -freeze:over", f"{TO_HOOK} -hook -freeze -freeze -freeze -apps -build = failed"),
    ("hook:fail " + "-freeze:fail " * 12, f"{TO_HOOK} -hook {'-freeze ' * 13}-apps -build = failed"),
]


@pytest.mark.looptime
@pytest.mark.parametrize(("happens", "does"), STORIES, ids=[happens or "nothing" for happens, _ in STORIES])
async def test_story(happens: str, does: str) -> None:
    world = World()
    for event in happens.split():
        step, what = event.split(":")
        world.script.setdefault(step, []).append(what)
    end = await world.execute(PUSH)
    assert f"{' '.join(world.calls)} = {end.state}" == does
