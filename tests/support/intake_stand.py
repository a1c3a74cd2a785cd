"""The two HTTP faces of the intake on real sockets, with a real git behind them and doubles for what lies deeper."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from deployd.access.caller import Caller
from deployd.access.tokens import caller_of, find_token
from deployd.api.errors import errors_as_json
from deployd.errors import DeployError
from deployd.git.mirror import Mirror
from deployd.git.program import git
from deployd.ids import ActivityId, CommitId, ProjectId
from deployd.intake.commit_checker import CommitChecker
from deployd.intake.git_service import GitService
from deployd.intake.http_git import git_routes
from deployd.intake.ports import Intake, Verdict
from deployd.intake.push import Push, Receipt
from deployd.intake.receive_hook_folder import write_hooks
from deployd.intake.receive_hook_routes import receive_hook_routes
from deployd.intake.webhooks import webhook_routes
from deployd.process import Output, run
from deployd.settings import ProjectSettings, Token

TOKENS = (
    Token(name="ada", role="admin", secret="secret-of-ada"),
    Token(name="ci", role="contributor", secret="secret-of-ci", projects=("shop",)),
    Token(name="eve", role="viewer", secret="secret-of-eve"),
)


def _find_caller(authorization: str | None) -> Caller | None:
    token = find_token(TOKENS, authorization)
    return caller_of(token) if token else None


@dataclass
class CheckerDouble:
    """Reads one file of the commit, so that a commit in quarantine must really be readable."""

    mirrors: Path
    refused: tuple[str, ...] = ()
    checked: list[tuple[str, str]] = field(default_factory=list)
    gate: CommitChecker | None = None
    """Who knows what is merged; None: nothing is protected."""

    async def check(self, project: ProjectSettings, commit: CommitId, branch: str, env: Mapping[str, str]) -> Verdict:
        mirror = Mirror(self.mirrors / f"{project.id}.git")
        assert (await mirror.about(commit, env)).commit == commit
        self.checked.append((branch, commit))
        return Verdict(not self.refused, self.refused)

    async def unmerged(
        self, project: ProjectSettings, pushes: Sequence[Push], env: Mapping[str, str],
    ) -> DeployError | None:
        return await self.gate.unmerged(project, pushes, env) if self.gate else None


@dataclass
class QueueDouble:
    """Keeps pushes; answers a known delivery with the answer of then, as the real one does."""

    pushes: list[Push] = field(default_factory=list)
    answers: dict[str, Receipt] = field(default_factory=dict)
    broken: DeployError | None = None
    full: DeployError | None = None

    async def refusal(self, project: ProjectId, pushes: Sequence[Push]) -> DeployError | None:
        return self.full

    async def stored(self, push: Push) -> bool:
        return False

    async def push(self, push: Push) -> Receipt:
        if self.broken is not None:
            raise self.broken
        if push.delivery in self.answers:
            known = self.answers[push.delivery]
            return Receipt(known.activity, known.said, again=True)
        self.pushes.append(push)
        receipt = Receipt(ActivityId(len(self.pushes)), f"activity {len(self.pushes)}: {push.branch}")
        if push.delivery:
            self.answers[push.delivery] = receipt
        return receipt


class FollowingDouble:
    def __init__(self, lines: asyncio.Queue[list[str] | None], after: int) -> None:
        self._lines = lines
        self.after = after

    async def take(self) -> list[str] | None:
        taken = await self._lines.get()
        self.after += len(taken or ())
        return taken

    def close(self) -> None:
        pass


@dataclass
class LogsDouble:
    """One log for all activities, fed by the test; None ends it."""

    lines: asyncio.Queue[list[str] | None] = field(default_factory=lambda: asyncio.Queue(1000))
    followed: list[int] = field(default_factory=list)
    from_lines: list[int] = field(default_factory=list)
    successful: bool = True

    def say(self, *lines: str) -> None:
        self.lines.put_nowait(list(lines))

    def end(self) -> None:
        self.lines.put_nowait(None)

    stopping: bool = False

    def follow(self, activity: ActivityId, after: int = 0) -> FollowingDouble:
        self.followed.append(activity)
        self.from_lines.append(after)
        return FollowingDouble(self.lines, after)

    async def project_of(self, activity: ActivityId) -> ProjectId | None:
        return ProjectId("shop")

    async def succeeded(self, activity: ActivityId) -> bool:
        return self.successful


@dataclass
class RepositoriesDouble:
    folder: Path
    hooks: Path

    async def path(self, project: ProjectSettings) -> Path:
        mirror = Mirror(self.folder / f"{project.id}.git")
        await mirror.ensure(self.hooks, project.default_branch)
        return mirror.path


@dataclass
class Stand:
    """The faces of the intake, and a developer's working tree beside them."""

    folder: Path
    port: int
    intake: Intake
    checker: CheckerDouble
    queue: QueueDouble
    logs: LogsDouble
    local: web.AppRunner
    """The face on the Unix socket; its end is the daemon's end as the hooks see it."""
    tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def repository(self, token: str = "secret-of-ada", project: str = "shop") -> str:
        return self.url.replace("://", f"://any:{token}@") + f"/git/{project}.git"

    def mirror(self, project: str = "shop") -> Mirror:
        return Mirror(self.folder / "repos" / f"{project}.git")

    async def developer(self, *arguments: str, check: bool = True, limit_seconds: float = 60) -> Output:
        """git in the working tree, as a person calls it."""
        return await run(
            "git", *arguments, cwd=self.folder / "work", check=check,
            env=developer_environment() | {"GIT_SSL_CAINFO": str(self.folder / "tls.pem")} if self.tls
            else developer_environment(),
            limit_seconds=limit_seconds,
        )

    async def commit(self, files: Mapping[str, str | bytes], message: str = "A change") -> CommitId:
        await commit_files(self.folder / "work", files)
        await self.developer("commit", "--quiet", "--allow-empty", "-m", message)
        return CommitId((await self.developer("rev-parse", "HEAD")).text)


def developer_environment() -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
        "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost", "LC_ALL": "C.UTF-8",
    }


async def commit_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files and put them into the index."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    await run("git", "add", "--all", cwd=folder, env=developer_environment())


async def make_working_tree(folder: Path) -> None:
    folder.mkdir(parents=True)
    await run("git", "init", "--quiet", "--initial-branch=main", cwd=folder, env=developer_environment())


async def refs_of(mirror: Mirror) -> dict[str, str]:
    """{ref: object} of everything that the repository has."""
    listed = await git(mirror.path, "for-each-ref", "--format=%(refname) %(objectname)")
    return dict(line.split(" ", 1) for line in listed.text.splitlines())


@asynccontextmanager
async def open_stand(
    folder: Path, projects: Mapping[str, Mapping[str, Any]], *, read_seconds: float = 9,
    tls: bool = False,
) -> AsyncIterator[Stand]:
    settings = {
        ProjectId(name): ProjectSettings.model_validate({"id": name, **values}) for name, values in projects.items()
    }
    socket = folder / "api.sock"
    write_hooks(folder / "hooks", socket)
    checker, queue, logs = CheckerDouble(folder / "repos"), QueueDouble(), LogsDouble()
    repositories = RepositoriesDouble(folder / "repos", folder / "hooks")
    intake = Intake(settings, repositories, checker, queue, logs)
    await make_working_tree(folder / "work")
    async with AsyncExitStack() as stack:
        local = await _serve(stack, receive_hook_routes(intake))
        await web.UnixSite(local, str(socket)).start()
        git = git_routes(_find_caller, GitService(intake))
        public = await _serve(stack, [*git, *webhook_routes(intake, read_seconds=read_seconds)])
        context = await _certificate(folder) if tls else None
        await web.TCPSite(public, "127.0.0.1", 0, ssl_context=context).start()
        yield Stand(folder, public.addresses[0][1], intake, checker, queue, logs, local, tls)


async def _certificate(folder: Path) -> ssl.SSLContext:
    """One for 127.0.0.1 that nobody trusts: `tls.pem` in the folder."""
    await run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(folder / "key.pem"), "-out", str(folder / "tls.pem"),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem", folder / "key.pem")
    return context


async def _serve(stack: AsyncExitStack, routes: list[web.RouteDef]) -> web.AppRunner:
    app = web.Application(middlewares=[errors_as_json], client_max_size=2**31)   # as api/applications.py makes them
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner
