"""A state directory with a thousand live environments, written by the functions that deployments write it with.

Real: the database with its journals, the repositories with a branch and a commit for each environment, the slugs and
their mounts. Made up: the containers (`more_containers.py`), and that the branches of a project share their slugs by
tens, as branches with the same code do.
"""

from __future__ import annotations

import random
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from deployd.activity.journal import DONE, STARTED, write_result
from deployd.deployment.kinds import KINDS
from deployd.deployment.results import Fetched, Planned, Switched
from deployd.deployment.steps import PUSH
from deployd.engine.names import Names
from deployd.environment.naming import machine_name
from deployd.git.mirror import Mirror
from deployd.git.program import git
from deployd.ids import CommitId, EnvironmentId, ProjectId, SlugKey
from deployd.plan import KeyParts, Plan
from deployd.release.version import AppVersion, Version
from deployd.router.table import Released
from deployd.slugs.archive import SlugStore
from deployd.state import activities, entries, environments
from deployd.state.activities import NewActivity, Trigger
from deployd.state.entries import Entry
from deployd.state.store import open_store
from tests.bench.more_containers import Made

APP = """\
name: app
type: "python:3.13"
web:
    commands:
        start: python3 server.py
crons:
    nightly:
        spec: "H 3 * * *"
        commands:
            start: python3 nightly.py
"""
FILES = {".platform.app.yaml": APP, "server.py": "print()\n", "nightly.py": "print()\n"}
OF_ONE_SLUG = 10
WHO = Trigger("ada", "git")
WORDS = (
    "add", "fix", "remove", "update", "use", "let", "show", "keep", "move", "the", "a", "of", "for", "when", "before",
    "checkout", "cart", "price", "index", "cache", "login", "mail", "shipping", "import", "export", "search", "image",
    "template", "header", "footer", "coupon", "tax", "stock", "order", "invoice", "test", "version", "migration",
)
NAMES = ("Ada", "Grace", "Linus", "Margaret", "Edsger", "Barbara", "Donald", "Radia", "Lovelace", "Hopper", "Hamilton")


async def fill(state: Path, instance: str, projects: list[ProjectId], branches: int) -> list[Made]:
    """Write the state of live environments, `branches` in each project; no daemon may run on it. Gives containers."""
    made: list[Made] = []
    slugs = SlugStore(state / "slugs")
    async with open_store(state / "state.db") as store:
        for place, project in enumerate(projects):
            commits = await _repository(state, project, branches)
            keys = [SlugKey(f"{place:032x}{number:032x}") for number in range((branches - 1) // OF_ONE_SLUG + 1)]
            for key in keys:
                workspace = state / "work" / key
                workspace.mkdir(parents=True)
                for name, text in FILES.items():
                    (workspace / name).write_text(text)
                await slugs.pack(workspace, key, owner=2_000_000)

            def write(
                db: sqlite3.Connection, project: ProjectId = project, place: int = place,
                commits: list[CommitId] = commits, keys: list[SlugKey] = keys,
            ) -> None:
                for number, commit in enumerate(commits):
                    made.extend(_environment(
                        db, instance, project, f"branch-{number}", commit, keys[number // OF_ONE_SLUG],
                        f"10.{64 + place}.{number // 4}.{number % 4 * 64 + 2}",
                    ))
            await store.write(write)
    return made


def _environment(
    db: sqlite3.Connection, instance: str, project: ProjectId, branch: str, commit: CommitId, slug: SlugKey,
    address: str,
) -> list[Made]:
    """What one push leaves when it has ended well."""
    now, name = datetime.now(UTC), machine_name(branch)
    environments.ensure(db, EnvironmentId(project, name), branch, now)
    # The daemon seals it at its start.
    db.execute("INSERT OR IGNORE INTO projects (id, entropy) VALUES (?, 'e')", (project,))
    subnet = f"{address.rpartition('.')[0]}.{int(address.rpartition('.')[2]) - 2}/26"
    environments.ensure_subnet(db, EnvironmentId(project, name), lambda taken: subnet)
    new = NewActivity(KINDS["push"], EnvironmentId(project, name), branch, commit, WHO)
    number = activities.enqueue(db, new, now)
    activities.begin(db, number, now)
    app = AppVersion("app", slug, "0" * 40, "sha256:" + "0" * 64, KeyParts("t", "s", "v", "i", "1"), "running")
    version = Version(number, commit, (app,), (), (f"http://{name}-{project}.localhost/",))
    results = {
        "fetch": Fetched(commit, *_said(number)), "read_and_plan": Planned(version, None, Plan((), ()), version.routes),
        "switch": Switched(now, Released()),
    }
    for step in PUSH.steps:
        entries.append(db, number, Entry(step.name, STARTED, now))
        entries.append(db, number, Entry(step.name, DONE, now, write_result(results.get(step.name))))
    environments.set_live(db, EnvironmentId(project, name), number, write_result(version), now)
    activities.finish(db, number, "success", "", now)
    names = Names(instance, EnvironmentId(project, name))
    return [
        Made(names.container(number, role, "app"), names.labels(role, "app", number), names.network,
             address if role == "web" else "")
        for role in ("web", "app")
    ]


def _said(number: int) -> tuple[str, str]:
    """(subject of a commit, its author): of no two commits alike, as people write them."""
    chance = random.Random(number)
    subject = " ".join(chance.choices(WORDS, k=chance.randint(4, 10))).capitalize()
    return f"{subject} (#{chance.randint(100, 9999)})", " ".join(chance.sample(NAMES, 2))


async def _repository(state: Path, project: ProjectId, branches: int) -> list[CommitId]:
    """A repository with so many branches, each with a commit of its own."""
    mirror = Mirror(state / "repos" / f"{project}.git")
    await mirror.ensure(state / "hooks")
    commits = []
    for number in range(branches):
        files = {**FILES, "branch": f"{number}\n"}
        changes = "".join(f"M 100644 inline {name}\ndata {len(text)}\n{text}\n" for name, text in files.items())
        commits.append(
            f"commit refs/heads/branch-{number}\ncommitter Ada <ada@example.com> 1772445600 +0000\n"
            f"data 1\nx\n{changes}\n"
        )
    await git(mirror.path, "fast-import", "--quiet", stdin="".join(commits).encode())
    tips = await mirror.branches()
    return [tips[f"branch-{number}"] for number in range(branches)]
