"""The order of a deployment: what undoes each step, its limit, what it waits for. This table is the documentation."""

from __future__ import annotations

import dataclasses

from deployd.activity.table import (
    AGAIN,
    AS_BEFORE,
    ATTACH,
    HELD,
    NO_WAY_BACK,
    NOTHING,
    ON_NEW,
    RELEASED,
    Parallel,
    Step,
    Table,
)
from deployd.deployment import (
    build,
    check,
    delete,
    deploy,
    hooks,
    lock,
    operation,
    pause,
    replace,
    route,
    services,
    slug,
    snapshot,
    source_operation,
    validate,
    wake,
)
from deployd.deployment.admission import BUILD, DEPLOY, PACK, SOURCE, START
from deployd.deployment.deployment import Deployment
from deployd.release.ports import Host

MINUTE = 60
HOUR = 60 * MINUTE
QUIET = frozenset({"validate", "build", "slug"})
"""Phases of a deployment that change nothing that is live."""

PUSH: Table[Deployment, Host] = Table("push", version=5, quiet_phases=QUIET, late_phases=frozenset({"watch"}), steps=(
    #     phase       step                      undone by                    limit        visitors  restart, waits for
    Step("validate", validate.fetch,           NOTHING,                     10 * MINUTE, AS_BEFORE, AGAIN),
    Step("validate", validate.read_and_plan,   NOTHING,                     60 * MINUTE, AS_BEFORE, AGAIN),
    Step("build",    build.build_apps,         build.discard,               70 * MINUTE, AS_BEFORE, ATTACH, BUILD,
         parallel=Parallel(services.begin_services, services.end_new_services)),
    Step("slug",     slug.pack,                NOTHING,                     10 * MINUTE, AS_BEFORE, AGAIN,  PACK),
    Step("slug",     lock.wait_for_unlock,     NOTHING,                     1 * MINUTE,  AS_BEFORE, AGAIN,  PACK),
    Step("deploy",   services.start_services,  services.put_back_services,  10 * MINUTE, AS_BEFORE, AGAIN,  START),
    Step("deploy",   deploy.start_apps,        deploy.remove_new,           5 * MINUTE,  AS_BEFORE, AGAIN,  START),
    Step("deploy",   check.ask_before_freeze,  NOTHING,                     10 * MINUTE, AS_BEFORE, AGAIN,  START),
    Step("hooks",    hooks.prepare,            hooks.end_preparation,       65 * MINUTE, AS_BEFORE, ATTACH, DEPLOY),
    Step("hooks",    hooks.freeze,             hooks.thaw_to_old,           2 * MINUTE,  HELD,      AGAIN,  DEPLOY),
    Step("hooks",    snapshot.take_snapshot,   snapshot.put_back_snapshot,  30 * MINUTE, HELD,      AGAIN,  DEPLOY,
         undo_limit_seconds=60 * MINUTE),
    Step("hooks",    replace.replace_services, replace.put_back_replaced,   15 * MINUTE, HELD,      AGAIN,  DEPLOY,
         undo_limit_seconds=15 * MINUTE),
    Step("hooks",    hooks.run_deploy_hook,    hooks.end_and_put_back,      65 * MINUTE, HELD,      ATTACH, DEPLOY),
    Step("route",    route.wait_until_healthy, route.turn_back,             2 * MINUTE,  HELD,      AGAIN,  DEPLOY),
    Step("route",    route.switch,             NO_WAY_BACK,                 10,          RELEASED,  AGAIN,  DEPLOY),
    Step("route",    deploy.start_workers,     NOTHING,                     2 * MINUTE,  ON_NEW,    AGAIN,  DEPLOY),
    Step("route",    route.run_post_deploy,    NOTHING,                     65 * MINUTE, ON_NEW,    ATTACH, DEPLOY),
    Step("route",    route.retire_old,         NOTHING,                     5 * MINUTE,  ON_NEW,    AGAIN,  DEPLOY,
         parallel=Parallel(build.remove_build_containers, NOTHING)),
    Step("watch",    check.watch_release,      NOTHING,                     40 * MINUTE, ON_NEW,    AGAIN,
         gives_slot_back=True),
    Step("watch",    check.judge_release,      NOTHING,                     1 * MINUTE,  ON_NEW,    AGAIN),
))

PUSH_4 = dataclasses.replace(PUSH, version=4, steps=tuple(step for step in PUSH.steps if step.name != "prepare"))
"""Before recipes looked, ahead of the freeze, what is due."""

CHECKS = frozenset({"ask_before_freeze", "watch_release", "judge_release"})
PUSH_3 = dataclasses.replace(PUSH_4, version=3, steps=tuple(step for step in PUSH_4.steps if step.name not in CHECKS))
"""Before releases were checked."""

PUSH_2 = dataclasses.replace(
    PUSH_3, version=2, steps=tuple(step for step in PUSH_3.steps if step.name != "wait_for_unlock"),
)
"""Before there were locks, and when services were made anew before the freeze. What is open goes on with the step in
which that is done now, which finds nothing to do where it was done already."""

PUSH_1 = dataclasses.replace(
    PUSH_2, version=1, steps=tuple(step for step in PUSH_2.steps if step.name != "take_snapshot"),
)
"""Before there were snapshots."""

PUSHES = (PUSH, PUSH_4, PUSH_3, PUSH_2, PUSH_1)
"""The newest first; by the others an earlier deployd may have begun something that is still open."""
ROLLBACKS = tuple(table.without("build", "slug") for table in PUSHES)
"""To an earlier version: its slugs, its configuration, its images."""

DELETE: Table[Deployment, Host] = Table("delete", version=1, steps=(
    Step("delete",   delete.remove_environment,  NO_WAY_BACK,            10 * MINUTE, AS_BEFORE, AGAIN),
))

PAUSE: Table[Deployment, Host] = Table("pause", version=1, steps=(
    Step("pause",  pause.close_environment,   pause.reopen_environment,     3 * MINUTE,  HELD,      AGAIN),
    Step("pause",  pause.stop_containers,     pause.start_containers_again, 6 * MINUTE,  HELD,      AGAIN,
         undo_limit_seconds=10 * MINUTE),
    Step("pause",  pause.fall_asleep,         NO_WAY_BACK,                  1 * MINUTE,  HELD,      AGAIN),
))
"""Visitors are held from its first step on, and wake it when it is over."""
DEACTIVATE: Table[Deployment, Host] = Table("deactivate", version=1, steps=(
    *(dataclasses.replace(step, phase="deactivate") for step in PAUSE.steps[:-1]),
    Step("deactivate", pause.let_go,          NO_WAY_BACK,                  10 * MINUTE, HELD,      AGAIN),
))

WAKE: Table[Deployment, Host] = Table("wake", version=1, steps=(
    Step("wake",   wake.start_containers,     wake.sleep_again,             6 * MINUTE,  HELD,      AGAIN,  START),
    Step("wake",   wake.wait_until_awake,     NOTHING,                      2 * MINUTE,  HELD,      AGAIN,  DEPLOY),
    Step("wake",   wake.let_in,               NO_WAY_BACK,                  10,          RELEASED,  AGAIN,  DEPLOY),
    Step("wake",   wake.wake_workers,         NOTHING,                      2 * MINUTE,  ON_NEW,    AGAIN,  DEPLOY),
))

OPERATION: Table[Deployment, Host] = Table("operation", version=1, quiet_phases=frozenset({"operation"}), steps=(
    Step("operation", operation.run_operation, operation.end_operation,     25 * HOUR,   AS_BEFORE, ATTACH),
    Step("operation", operation.forget_operation, NO_WAY_BACK,              1 * MINUTE,  AS_BEFORE, AGAIN),
))
"""A command of the application's file, on demand. Cancelled, it is ended; what it did stays."""

SOURCE_OPERATION: Table[Deployment, Host] = Table(
    "source-operation", version=1, quiet_phases=frozenset({"source", "push"}), steps=(
    Step("source", source_operation.clone_source, source_operation.discard_source, 15 * MINUTE, AS_BEFORE, AGAIN),
    Step("source", source_operation.run_source_operation, source_operation.discard_source,
         200 * MINUTE, AS_BEFORE, ATTACH, SOURCE),
    Step("push",   source_operation.push_source,  source_operation.discard_source, 30 * MINUTE, AS_BEFORE, AGAIN),
    Step("push",   source_operation.clear_source, NO_WAY_BACK,                 5 * MINUTE,  AS_BEFORE, AGAIN),
))
"""A command of the application's file that changes the code of its branch; a push follows it."""

PURGE: Table[Deployment, Host] = Table("purge", version=1, steps=(
    Step("delete",   delete.purge_data,          NO_WAY_BACK,            10 * MINUTE, AS_BEFORE, AGAIN),
))
"""Of a deleted environment's data, when its time of grace is over."""
