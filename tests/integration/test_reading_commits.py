"""A commit as the configuration reader sees it, out of a real repository and out of the quarantine of a push."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from deployd.git.mirror import Mirror
from deployd.git.program import QUARANTINE
from deployd.git.remote import fetch
from deployd.ids import CommitId, ProjectId
from deployd.process import run
from deployd.project.model import PLATFORMSH, ReadResult
from deployd.project.tree.limits import TreeLimits
from deployd.reading.bounds import LARGEST_FILE_BYTES, ConfigurationTooLarge
from deployd.reading.reader_pool import ReaderPool, open_reader_pool
from deployd.release.code import ProjectCode
from deployd.settings import ProjectSettings
from tests.support.intake_stand import commit_files, developer_environment, make_working_tree

APP = "name: app\ntype: python:3.13\nweb:\n  commands:\n    start: python3 server.py\n"
PROJECT = ProjectSettings(id=ProjectId("shop"))


class Repository:
    def __init__(self, folder: Path, readers: ReaderPool) -> None:
        self.work = folder / "work"
        self.mirror = Mirror(folder / "shop.git")
        self.code = ProjectCode(lambda _: self.mirror.path, folder / "hooks", readers, TreeLimits())

    async def read(self, commit: CommitId, env: Mapping[str, str] | None = None) -> ReadResult:
        return await self.code.read(PROJECT, commit, env)

    async def commit(self, files: dict[str, str | bytes]) -> CommitId:
        await commit_files(self.work, files)
        await self.git("commit", "--quiet", "--allow-empty", "-m", "A change")
        await fetch(self.mirror, str(self.work))
        return CommitId(await self.git("rev-parse", "HEAD"))

    async def git(self, *arguments: str) -> str:
        return (await run("git", *arguments, cwd=self.work, env=developer_environment())).text


@pytest.fixture
async def readers(tmp_path: Path) -> AsyncIterator[ReaderPool]:
    async with open_reader_pool(tmp_path) as readers:
        yield readers


@pytest.fixture
async def repository(tmp_path: Path, readers: ReaderPool) -> Repository:
    made = Repository(tmp_path, readers)
    await make_working_tree(made.work)
    await made.mirror.ensure()
    return made


async def test_the_configuration_is_read_with_what_it_includes(repository: Repository) -> None:
    commit = await repository.commit({
        ".platform.app.yaml": APP + "hooks:\n  build: !include {type: string, path: scripts/build.sh}\n",
        "scripts/build.sh": "echo built", ".platform/services.yaml": "db:\n  type: mariadb:10.11\n  disk: 512\n",
        ".platform/routes.yaml": '"https://{default}/": {type: upstream, upstream: "app:http"}\n',
        "server.py": "x" * 1000,
    })
    result = await repository.read(commit)
    assert result.config is not None
    assert result.config.dialect == PLATFORMSH
    assert result.config.applications[0].hooks.build is not None
    assert result.config.applications[0].hooks.build.script == "echo built"
    assert [service.name for service in result.config.services] == ["db"]


async def test_errors_name_file_and_line(repository: Repository) -> None:
    commit = await repository.commit({".platform.app.yaml": APP + "hoks: {}\n"})
    result = await repository.read(commit)
    assert result.config is None
    assert any(".platform.app.yaml:6" in str(finding.place) for finding in result.errors)


async def test_a_huge_configuration_file_is_refused(repository: Repository) -> None:
    commit = await repository.commit({".platform.app.yaml": APP + "#" * LARGEST_FILE_BYTES})
    with pytest.raises(ConfigurationTooLarge) as caught:
        await repository.read(commit)
    assert caught.value.where == ".platform.app.yaml"


async def test_very_many_configuration_files_are_refused(repository: Repository) -> None:
    files: dict[str, str | bytes] = {f".platform/{number}.yaml": str(number) * 3_900_000 for number in range(9)}
    commit = await repository.commit({".platform.app.yaml": APP, **files})
    with pytest.raises(ConfigurationTooLarge):
        await repository.read(commit)


async def test_a_link_as_configuration_file_is_an_error_and_not_a_read_elsewhere(repository: Repository) -> None:
    (repository.work / ".platform.app.yaml").symlink_to("/etc/passwd")
    commit = await repository.commit({"a": "1"})
    result = await repository.read(commit)
    assert result.config is None
    assert "root:" not in str(result.findings)


async def test_an_empty_commit_is_told_and_not_raised(repository: Repository) -> None:
    result = await repository.read(await repository.commit({}))
    assert result.config is None


async def test_objects_in_quarantine_are_read(repository: Repository, tmp_path: Path) -> None:
    """As in a pre-receive hook: the objects lie beside the repository, and only the environment says where."""
    await commit_files(repository.work, {".platform.app.yaml": APP})
    await repository.git("commit", "--quiet", "-m", "Not pushed yet")
    commit = CommitId(await repository.git("rev-parse", "HEAD"))
    assert await repository.mirror.resolve(commit) is None
    env = dict(zip(QUARANTINE, (
        str(repository.work / ".git/objects"), str(repository.mirror.path / "objects"),
        str(repository.work / ".git/objects"),
    ), strict=True))
    result = await repository.read(commit, env)
    assert result.config is not None
    assert (await repository.mirror.about(commit, env)).subject == "Not pushed yet"


async def test_the_environment_of_a_person_does_not_reach_git(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit = await repository.commit({"a": "1"})
    (tmp_path / "config").write_text("[core]\n\tquotePath = nonsense\n")
    for name, value in {
        "GIT_DIR": "/nowhere", "GIT_CONFIG_GLOBAL": str(tmp_path / "config"), "LC_ALL": "de_DE.UTF-8",
        "GIT_OBJECT_DIRECTORY": "/nowhere", "GIT_TRACE": str(tmp_path / "trace"),
    }.items():
        monkeypatch.setenv(name, value)
    assert (await repository.mirror.about(commit)).subject == "A change"
    assert "trace" not in os.listdir(tmp_path)
