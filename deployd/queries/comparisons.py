"""Comparisons of two versions: of an environment, of two environments, or of what activities made or will make live."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from deployd.access.errors import NotFound
from deployd.activity.journal import Journal, read_result
from deployd.deployment.results import Planned
from deployd.errors import DeployError, Unusable
from deployd.git.history import Commits
from deployd.git.mirror import CommitInfo
from deployd.ids import ActivityId, EnvironmentId
from deployd.project.model import ProjectConfig
from deployd.queries.compare import SectionShape, describe, differences
from deployd.queries.environments import EnvironmentQueries
from deployd.release.code import ProjectCode
from deployd.release.version import Version
from deployd.settings import ProjectSettings, Settings
from deployd.slugs.compare import FileChange, SlugComparison
from deployd.state import activities, entries, environments
from deployd.state.store import Store

LONGEST_SIDE = 400
MOST_COMMITS = 50
MOST_LINES = 1_500
"""Of the difference of configuration files."""
WAYS = "project/environment, project/environment@activity, or the number of an activity"
MaySee = Callable[[str], bool]
"""Whether the caller may know of a project."""


AsSeen = Callable[[ProjectSettings, str], Awaitable[ProjectSettings]]
"""A project with the variables that the environment of a branch sees now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideShape:
    """A version that is compared."""

    side: str
    """As it is asked for again: `project/environment@activity`, or the activity's number."""
    project: str
    environment: str
    branch: str
    activity: int
    """Which made it live, or will."""
    live: bool
    """It is live now."""
    commit: str
    subject: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitShape:
    commit: str
    subject: str
    author: str
    at: str
    """ISO 8601, with its own offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChangeShape:
    """A file of a slug."""

    change: str
    """`added`, `changed` or `removed`."""
    path: str
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlugFilesShape:
    """Files of an application's slug."""

    app: str
    added: int
    changed: int
    removed: int
    grown_bytes: int
    """By how much all files together are larger in the second version; negative: smaller."""
    files: tuple[FileChangeShape, ...]
    """By path, five hundred of each kind at most."""
    unread: int
    """Files of the same size that were not looked into because there were too many."""
    why: str
    """Why nothing is known of them; empty when it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonShape:
    a: SideShape
    b: SideShape
    relation: str
    """Of the commits: `same`, `later` (the second has all of the first), `earlier`, `apart`, or `unknown` (they are of
    two projects, or one is not in the repository any more)."""
    commits_added: tuple[CommitShape, ...]
    """In the second version only, newest first, fifty at most."""
    commits_added_count: int
    commits_removed: tuple[CommitShape, ...]
    """In the first version only."""
    commits_removed_count: int
    sections: tuple[SectionShape, ...]
    configuration: tuple[str, ...]
    """How the project files differ, as `git diff` writes it; secrets masked."""
    configuration_more: int
    """Lines that are left out."""
    notes: tuple[str, ...]
    """What could not be compared, and why."""
    files: tuple[SlugFilesShape, ...]
    """Of applications whose slugs differ; only when they are asked for."""


@dataclass(frozen=True, slots=True)
class _Side:
    shape: SideShape
    version: Version
    project: ProjectSettings
    config: ProjectConfig | None


class ComparisonQueries:
    def __init__(
        self, store: Store, settings: Settings, environments: EnvironmentQueries, code: ProjectCode,
        slugs: SlugComparison, mask: Callable[[str], str], as_seen: AsSeen,
    ) -> None:
        """
        Args:
            mask: Takes secrets out of a text.
        """
        self._as_seen = as_seen
        self._store = store
        self._settings = settings
        self._environments = environments
        self._code = code
        self._slugs = slugs
        self._mask = mask

    async def of(self, a: str, b: str, may_see: MaySee, *, with_files: bool) -> ComparisonShape:
        """
        Args:
            with_files: Also which files of slugs differ, which can take half a minute.

        Raises:
            Unusable: A side is none of what can be compared.
            NotFound: There is no such version, or the caller may not know of it.
        """
        one, other = await self._side(a, may_see), await self._side(b, may_see)
        added, removed = await self._behind(one, other), await self._behind(other, one)
        described = await asyncio.to_thread(
            lambda: [describe(item.version, item.config, item.project, item.shape.branch) for item in (one, other)],
        )
        lines, more, notes = await self._configuration(one, other)
        return ComparisonShape(
            a=one.shape, b=other.shape, relation=relation_of(one.shape, other.shape, added, removed),
            commits_added=_commits(added), commits_added_count=added.count if added else 0,
            commits_removed=_commits(removed), commits_removed_count=removed.count if removed else 0,
            sections=differences(*described), configuration=lines, configuration_more=more, notes=notes,
            files=tuple([item async for item in self._files(one, other)]) if with_files else (),
        )

    async def _side(self, text: str, may_see: MaySee) -> _Side:
        if not text or len(text) > LONGEST_SIDE or not text.isprintable():
            raise Unusable(f"there is nothing to compare called {text[:40]!r}", hint=WAYS)
        if text.isascii() and text.isdecimal():
            return await self._of_activity(text, may_see)
        project, slash, name = text.partition("/")
        if not slash or not name or not project:
            raise Unusable(f"there is nothing to compare called {text[:40]!r}", hint=WAYS)
        return await self._of_environment(project, name, may_see)

    async def _of_activity(self, text: str, may_see: MaySee) -> _Side:
        number = ActivityId(int(text)) if len(text) < 16 else ActivityId(0)
        found = await self._store.read(lambda db: activities.find(db, number))
        if found is None or not may_see(found.project):
            raise NotFound(f"there is no activity {text}", hint="it is too old to be kept, or the token is for others")
        version = await self._store.read(lambda db: _version_of(db, number))
        if version is None:
            raise NotFound(f"activity {text} has nothing to compare: it ended before it had a plan, or has none yet")
        row = await self._store.read(lambda db: environments.find(db, found.environment))
        live = row is not None and row.live_activity == number
        return await self._describe(text, found.environment, found.branch, number, version, live=live)

    async def _of_environment(self, project: str, name: str, may_see: MaySee) -> _Side:
        if not may_see(project):
            raise NotFound(f"there is no project {project}", hint="`deployd projects` shows what there is")
        branch, at, digits = name.rpartition("@")
        is_number = at and digits.isascii() and digits.isdecimal() and len(digits) < 16
        wanted = ActivityId(int(digits)) if is_number else None
        try:
            found = await self._environments.find_configured(project, name)
            wanted = None
        except NotFound:
            if wanted is None:
                raise
            found = await self._environments.find_configured(project, branch)
        number = wanted if wanted is not None else found.live_activity
        if number is None:
            raise NotFound(f"nothing is live in {project}/{name} yet", hint="compare with the number of an activity")
        text = await self._store.read(lambda db: environments.version_in(db, found.id, number))
        if text is None:
            raise NotFound(f"{project}/{found.branch} has no version {number} (any more)",
                           hint="the page of the environment shows those that are kept")
        return await self._describe(
            f"{project}/{found.name}@{number}", found.id, found.branch, number, read_result(text, Version),
            live=number == found.live_activity,
        )

    async def _describe(
        self, side: str, environment: EnvironmentId, branch: str, number: ActivityId, version: Version, *, live: bool,
    ) -> _Side:
        project = self._settings.projects.get(environment.project)
        if project is None:
            raise NotFound(f"there is no project {environment.project}", hint="it stands in the settings no more")
        config, subject, author = None, "", ""
        with suppress(DeployError):   # its commit may be gone, or be refused by a newer deployd
            about = await self._code.about(project.id, version.commit)
            subject, author = about.subject, about.author
            config = (await self._code.read(project, version.commit)).config
        return _Side(SideShape(
            side=side, project=environment.project, environment=environment.name, branch=branch, activity=number,
            live=live, commit=version.commit, subject=subject, author=author,
        ), version, await self._as_seen(project, branch), config)

    async def _behind(self, one: _Side, other: _Side) -> Commits | None:
        """What the other one has and the one has not; None: nobody knows."""
        if one.project.id != other.project.id:
            return None
        return await self._code.commits_behind(
            one.project.id, one.version.commit, other.version.commit, MOST_COMMITS,
        )

    async def _configuration(self, one: _Side, other: _Side) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
        """(lines of the difference, how many more, what could not be compared)"""
        notes = tuple(
            f"the project files of {side.shape.commit[:8]} cannot be read any more: what they say is not compared"
            for side in (one, other) if side.config is None
        )
        configs = [side.config for side in (one, other) if side.config is not None]
        paths = {path for config in configs for path in (*config.files, *config.configuration_paths())}
        found = await self._code.diff(
            (one.project.id, one.version.commit), (other.project.id, other.version.commit), paths, MOST_LINES,
        )
        if found is None:
            return (), 0, (*notes, "git cannot tell how the project files differ: a commit is not there any more")
        masked = await asyncio.to_thread(lambda: self._mask("\n".join(found.lines)).split("\n"))
        return tuple(masked) if found.lines else (), found.more, notes

    async def _files(self, one: _Side, other: _Side) -> AsyncIterator[SlugFilesShape]:
        for app in other.version.apps:
            before = one.version.app(app.name)
            if before is None or before.slug == app.slug:
                continue
            try:
                found = await self._slugs.of(before.slug, app.slug)
            except DeployError as error:
                yield SlugFilesShape(app=app.name, added=0, changed=0, removed=0, grown_bytes=0, files=(), unread=0,
                                     why=error.what)
            else:
                yield SlugFilesShape(
                    app=app.name, added=found.added, changed=found.changed, removed=found.removed,
                    grown_bytes=found.grown_bytes, files=tuple(map(_file, found.files)), unread=found.unread,
                    why=_skipped(found.skipped),
                )


def _skipped(folders: int) -> str:
    return f"{folders:,} folders were not looked into: too many files, or too deep" if folders else ""


def relation_of(one: SideShape, other: SideShape, added: Commits | None, removed: Commits | None) -> str:
    """Pure."""
    if one.commit == other.commit:
        return "same"
    if added is None or removed is None:
        return "unknown"
    if not removed.count:
        return "later"
    return "apart" if added.count else "earlier"


def _version_of(db: sqlite3.Connection, number: ActivityId) -> Version | None:
    """That it made live, or that it planned."""
    text = environments.version_of(db, number)
    if text is not None:
        return read_result(text, Version)
    with suppress(LookupError):
        return Journal(entries.of_activity(db, number)).result("read_and_plan", Planned).version
    return None


def _commits(found: Commits | None) -> tuple[CommitShape, ...]:
    return tuple(map(_commit, found.newest)) if found else ()


def _commit(found: CommitInfo) -> CommitShape:
    return CommitShape(commit=found.commit, subject=found.subject, author=found.author, at=found.at)


def _file(found: FileChange) -> FileChangeShape:
    return FileChangeShape(
        change=found.kind, path=found.path, before_bytes=found.before_bytes, after_bytes=found.after_bytes,
    )
