"""What a source operation runs in its container, with real git and the shell that runs it there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.deployment import source_operation
from deployd.git.clones import clone_branch, move_branch, take_pack
from deployd.git.mirror import Mirror
from deployd.git.program import git
from deployd.ids import CommitId
from deployd.process import run
from tests.support.intake_stand import developer_environment


class Branch:
    def __init__(self, folder: Path, mirror: Mirror, first: CommitId) -> None:
        self.folder = folder
        self.mirror = mirror
        self.first = first

    async def operation(self, command: str, root: str = "") -> int:
        """Run one in a clone, as its container would, and have the branch where it says. Gives the shell's status."""
        place = self.folder / "operation"
        (place / "out").mkdir(parents=True)
        old = await clone_branch(self.mirror, "main", place / "app")
        trigger = SimpleNamespace(operation="up", who="o'ada")
        deployment: Any = SimpleNamespace(activity=SimpleNamespace(trigger=trigger))
        app: Any = SimpleNamespace(root=root, source_operations={"up": command})
        env = {**developer_environment(), **source_operation.IDENTITY}
        for text in source_operation._scripts(deployment, app, old, is_first=True).values():
            here = text.replace(source_operation.OUT_FOLDER, str(place / "out")).replace("/app", str(place / "app"))
            done = await run("dash", env=env, stdin=here.encode(), check=False)
            if done.status:
                return done.status
        new, pack = source_operation._commit_of(place), source_operation._own_copy(place)
        if new is not None and new != old:
            if pack is not None:
                await take_pack(self.mirror, pack, new)
            await move_branch(self.mirror, "main", new, old)
        return 0

    async def subjects(self) -> list[str]:
        return (await git(self.mirror.path, "log", "--format=%an: %s", "main")).text.splitlines()


@pytest.fixture
async def branch(tmp_path: Path) -> Branch:
    mirror, work = Mirror(tmp_path / "repos" / "shop.git"), tmp_path / "work"
    await mirror.ensure()
    await run("git", "init", "--quiet", "--initial-branch=main", str(work), env=developer_environment())
    (work / "api").mkdir()
    for text in ("one", "two"):
        (work / "api" / "text").write_text(text)
        for words in (("add", "--all"), ("commit", "--quiet", "-m", text)):
            await run("git", *words, cwd=work, env=developer_environment())
    await run("git", "push", "--quiet", str(mirror.path), "main", cwd=work, env=developer_environment())
    first = await mirror.resolve("refs/heads/main^")
    assert first is not None
    return Branch(tmp_path, mirror, first)


async def test_what_it_commits_is_the_branch_and_what_it_leaves_beside_is_not(branch: Branch) -> None:
    assert await branch.operation("echo x >text; git commit -qam mine; echo left >left", root="api") == 0
    assert (await branch.subjects())[0] == "deployd: mine"
    assert "left" not in (await git(branch.mirror.path, "ls-tree", "-r", "--name-only", "main")).text


async def test_what_it_changed_and_did_not_commit_is_committed_for_it(branch: Branch) -> None:
    assert await branch.operation("echo new >new") == 0
    assert (await branch.subjects())[0] == "deployd: Source operation up"
    assert "Run by o'ada." in (await git(branch.mirror.path, "log", "-1", "--format=%b", "main")).text
    assert (await git(branch.mirror.path, "show", "main:new")).text == "new"


async def test_the_branch_may_go_back(branch: Branch) -> None:
    assert await branch.operation("git reset -q --hard HEAD~") == 0
    assert await branch.mirror.tip("main") == branch.first


async def test_a_merge_brings_all_of_its_history(branch: Branch) -> None:
    command = "git checkout -q -b x HEAD~; echo y >y; git add y; git commit -qm y; git checkout -q main; git merge -q x"
    assert await branch.operation(command) == 0
    assert "deployd: y" in await branch.subjects()


@pytest.mark.parametrize(("command", "status"), [("true", 0), ("exit 3", 3), ("echo x >x; false", 1)])
async def test_nothing_and_a_failure_leave_the_branch_as_it_is(branch: Branch, command: str, status: int) -> None:
    before = await branch.mirror.tip("main")
    assert await branch.operation(command) == status
    assert await branch.mirror.tip("main") == before


async def test_hooks_and_settings_of_the_clone_do_nothing_outside_of_it(branch: Branch) -> None:
    pwned = branch.folder / "pwned"
    command = f"""\
mkdir -p .git/hooks
for hook in pre-commit pre-push post-checkout reference-transaction; do
    printf '#!/bin/sh\\necho $$ >>{pwned}\\n' >.git/hooks/$hook; chmod +x .git/hooks/$hook
done
git config core.fsmonitor 'echo fsmonitor >>{pwned}'
echo new >new
"""
    assert await branch.operation(command) == 0
    pwned.unlink(missing_ok=True)   # its own git, in its container, does what the clone says
    pack = source_operation._own_copy(branch.folder / "operation")
    tip = await branch.mirror.tip("main")
    assert pack is not None
    assert tip is not None
    await take_pack(branch.mirror, pack, tip)
    await move_branch(branch.mirror, "main", branch.first, tip)
    assert not pwned.exists(), "the host's git knows nothing of the clone"


async def test_where_it_leaves_links_nothing_is_read_through_them(branch: Branch) -> None:
    secret = branch.folder / "secret"
    secret.write_text("a" * 40)
    out = branch.folder / "linked" / "out"
    out.mkdir(parents=True)
    (out / "commit").symlink_to(secret)
    (out / "pack").symlink_to(secret)
    assert source_operation._commit_of(out.parent) is None
    assert source_operation._own_copy(out.parent) is None
