"""What is unchanged is not built again, and what was live can be live again."""

from __future__ import annotations

from tests.support.developer import APP, MakeDeveloper

CRON = APP + "crons:\n  tick:\n    spec: '*/10 * * * *'\n    commands:\n      start: 'true'\n"


async def test_a_change_of_a_cron_or_a_route_builds_nothing_and_the_same_tree_on_another_branch_neither(
    developer: MakeDeveloper,
) -> None:
    me = await developer("reuse")
    first = await me.push()
    assert any("app: build (first build)" in line for line in first.lines), first.lines
    assert await me.page() == (200, "first on main")

    await me.write({".platform.app.yaml": CRON})
    cron = await me.push()
    assert any("app: reuse (unchanged)" in line for line in cron.lines), cron.lines
    assert any("nothing to build" in line for line in cron.lines)

    await me.write({".platform/routes.yaml": 'https://{default}/:\n  type: upstream\n  upstream: "app:http"\n'
                                             'https://www.{default}/:\n  type: upstream\n  upstream: "app:http"\n'})
    route = await me.push()
    assert any("app: reuse (unchanged)" in line for line in route.lines), route.lines
    assert any("www." in line and "new route" in line for line in route.lines)

    branch = await me.push("feature")
    assert any("app: reuse (built before with the same input)" in line for line in branch.lines), branch.lines
    assert await me.page("feature") == (200, "first on feature")
    assert await me.page() == (200, "first on main"), "the other branch is not touched"

    await me.write({"text": "second"})
    changed = await me.push()
    assert any("app: build (1 file changed)" in line for line in changed.lines), changed.lines
    assert await me.page() == (200, "second on main")


async def test_a_deleted_branch_takes_its_environment_along(developer: MakeDeveloper) -> None:
    me = await developer("reuse")
    await me.push("short-lived")
    assert (await me.page("short-lived"))[0] == 200
    pushed = await me.push("short-lived", delete=True)
    assert any("removed" in line for line in pushed.lines), pushed.lines
    assert (await me.page("short-lived"))[0] == 404
