"""The command line from another machine: signing in, which daemon is asked, and that no token can be read."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import re
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from deployd.api.applications import Public, public_application
from deployd.cli import watch as watch_module
from deployd.cli.client import NotConfidential, Remote, refuse_readable
from deployd.cli.hosts import (
    DEFAULT_SOCKET,
    HostsUnusable,
    HostUnknown,
    address_of_daemon,
    hosts_file,
    normal_url,
    read_hosts,
    write_hosts,
)
from deployd.cli.main import main
from deployd.http.callers import Callers
from deployd.process import run
from tests.doubles.api import FakeCommands, FakeQueries, activity, api_of, ending, line, open_fake_daemon
from tests.support.corpus import REPOSITORY
from tests.unit.api.test_api_changing import _find

Cli = Callable[..., Coroutine[Any, Any, Result]]
COMMIT = "c" * 40


@pytest.fixture
def queries() -> FakeQueries:
    log = [line(1, "composer install"), ending(2)]
    return FakeQueries([activity(1), activity(2, "blog")], {1: log})


@pytest_asyncio.fixture
async def url(queries: FakeQueries) -> AsyncIterator[str]:
    """A daemon that asks for tokens, on this machine without TLS."""
    async for port in _listening(queries, None):
        yield f"http://127.0.0.1:{port}"


async def _listening(queries: FakeQueries, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    app = public_application(api_of(queries, FakeCommands(queries, log=[ending(1)])), [], Public(Callers(_find)))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    with capture_logs():
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield runner.addresses[0][1]
        await runner.cleanup()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def cli(home: Path) -> Cli:
    async def call(*argv: str, typed: str | None = None, **env: str) -> Result:
        runner = CliRunner(env={"HOME": str(home), "XDG_CONFIG_HOME": None, "DEPLOYD_SOCKET": None, "DEPLOYD_URL": None,
                                "DEPLOYD_TOKEN": None, **env})
        return await asyncio.to_thread(runner.invoke, main, list(argv), input=typed)

    return call


async def test_who_signed_in_asks_that_daemon_from_then_on(cli: Cli, url: str, home: Path) -> None:
    result = await cli("login", url, "--name", "work", typed="secret-of-ada\n")
    assert (result.exit_code, "shop, blog" in result.output) == (0, True)
    file = home / ".config/deployd/hosts.yaml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret-of-ada" not in result.output
    result = await cli("activities", "--json")
    assert [item["id"] for item in json.loads(result.output)] == [2, 1]
    assert (await cli("redeploy", "shop", "main")).exit_code == 0
    result = await cli("log", "1")
    assert "composer install" in result.output
    listed = json.loads((await cli("context", "--json")).output)
    assert listed == [{"name": "local", "url": "", "current": False}, {"name": "work", "url": url, "current": True}]
    assert (await cli("context", "local")).exit_code == 0
    assert (await cli("projects", DEPLOYD_SOCKET="/nowhere/api.sock")).exit_code == 4
    assert (await cli("projects", "--context", "work", DEPLOYD_SOCKET="/nowhere/api.sock")).exit_code == 0
    assert (await cli("logout", "work")).exit_code == 0
    assert read_hosts(file).known == {}
    assert (await cli("projects", "--context", "work")).exit_code == 2


async def test_a_token_that_is_wrong_is_not_kept(cli: Cli, url: str, home: Path) -> None:
    result = await cli("login", url, typed="guess\n")
    assert result.exit_code == 6
    assert f"deployd login {url}" in result.output
    assert not (home / ".config").exists()
    assert (await cli("login", url, typed="\n")).exit_code == 2
    assert (await cli("login", url, "--name", "local", typed="secret-of-ada\n")).exit_code == 2


async def test_scripts_name_address_and_token_by_variables(cli: Cli, url: str) -> None:
    assert (await cli("projects", DEPLOYD_URL=url, DEPLOYD_TOKEN="secret-of-ada")).exit_code == 0
    assert (await cli("projects", DEPLOYD_URL=url)).exit_code == 6
    result = await cli("redeploy", "shop", "main", DEPLOYD_URL=url, DEPLOYD_TOKEN="secret-of-vera")
    assert (result.exit_code, "vera is a viewer" in result.output) == (6, True)
    await cli("login", url, typed="secret-of-ada\n")
    await cli("context", "local")
    assert (await cli("projects", DEPLOYD_URL=url)).exit_code == 0


def test_which_daemon_is_asked(home: Path) -> None:
    socket = Path("/run/other.sock")
    env = {"HOME": str(home)}
    assert address_of_daemon(None, None, env) == DEFAULT_SOCKET
    assert address_of_daemon(None, None, {**env, "DEPLOYD_SOCKET": str(socket)}) == socket
    there, other = Remote("https://a.example", "t"), Remote("https://b.example", "u")
    write_hosts(hosts_file(env), read_hosts(hosts_file(env)).with_host("b", other).with_host("a", there))
    assert address_of_daemon(None, None, env) == there
    assert address_of_daemon(None, "b", env) == other
    assert address_of_daemon(None, "local", env) == DEFAULT_SOCKET
    assert address_of_daemon(socket, None, {**env, "DEPLOYD_URL": "https://c.example"}) == socket
    assert address_of_daemon(None, None, {**env, "DEPLOYD_SOCKET": str(socket)}) == socket
    by_url = {**env, "DEPLOYD_URL": "b.example", "DEPLOYD_SOCKET": str(socket)}
    assert address_of_daemon(None, None, by_url) == other
    assert address_of_daemon(None, "a", by_url) == there
    assert "'t'" not in repr(there)


@pytest.mark.parametrize("text", [
    "ftp://a", "https://", "https://a/b", "https://a?b", "https://u:p@a", "http://a:99999", "https://ä.example", "::",
])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(HostUnknown):
        normal_url(text)


@pytest.mark.parametrize("url", [
    "https://deploy.example.com", "https://deploy.example.com:8443", "http://127.0.0.1:8480", "http://[::1]:8480",
    "http://localhost", "http://a.localhost",
])
def test_a_token_is_sent_where_nobody_reads_it(url: str) -> None:
    refuse_readable(url)


@pytest.mark.parametrize("url", [
    "http://deploy.example.com", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost.example.com",
])
def test_a_token_is_never_sent_for_others_to_read(url: str) -> None:
    with pytest.raises(NotConfidential):
        refuse_readable(url)


async def test_that_is_said_before_the_token_is_asked_for(cli: Cli, home: Path) -> None:
    for call in (cli("login", "http://deploy.example.com", typed="secret\n"),
                 cli("projects", DEPLOYD_URL="http://deploy.example.com", DEPLOYD_TOKEN="secret")):
        result = await call
        assert result.exit_code == 1
        assert "everybody on the way" in result.output
        assert "hint: use https://deploy.example.com" in result.output


def test_a_file_that_others_may_read_is_not_used(home: Path) -> None:
    file = hosts_file({"HOME": str(home)})
    write_hosts(file, read_hosts(file).with_host("a", Remote("https://a.example", "t")))
    file.chmod(0o640)
    with pytest.raises(HostsUnusable, match="others may read"):
        read_hosts(file)


@pytest.mark.parametrize("text", ["{", "[]", "hosts: 3", "hosts: {a: {url: 1, token: t}}", "hosts: {a: {url: https://a}}"])
def test_a_file_that_is_not_ours_is_told(home: Path, text: str) -> None:
    file = hosts_file({"HOME": str(home)})
    file.parent.mkdir(parents=True)
    file.write_text(text)
    file.chmod(0o600)
    if text == "[]":
        assert read_hosts(file).known == {}
        return
    with pytest.raises(HostsUnusable, match="not as deployd writes it"):
        read_hosts(file)


async def test_nobody_is_followed_elsewhere(cli: Cli, queries: FakeQueries) -> None:
    seen = []

    async def lead_on(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPMovedPermanently("http://elsewhere.example/api")

    app = web.Application()
    app.add_routes([web.get("/{rest:.*}", lead_on)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there = {"DEPLOYD_URL": f"http://127.0.0.1:{runner.addresses[0][1]}", "DEPLOYD_TOKEN": "secret"}
    for argv in (("projects",), ("log", "1")):
        result = await cli(*argv, **there)
        assert (result.exit_code, "leads elsewhere" in result.output) == (6, True)
    assert len(seen) == 2
    await runner.cleanup()


async def test_certificates_are_verified(queries: FakeQueries, tmp_path: Path) -> None:
    context, authority = _certificate(tmp_path)
    env = {**os.environ, "HOME": str(tmp_path), "DEPLOYD_TOKEN": "secret-of-ada"}
    env.pop("DEPLOYD_SOCKET", None)
    async for port in _listening(queries, context):
        async def ask(host: str, **more: str) -> tuple[int, str]:
            done = await run(sys.executable, "-m", "deployd", "projects", cwd=REPOSITORY, check=False,
                             env={**env, "DEPLOYD_URL": f"https://{host}:{port}", **more})   # noqa: B023
            return done.status, done.text + done.stderr.decode()

        status, said = await ask("localhost")
        assert (status, "nobody proves to be" in said, "SSL_CERT_FILE" in said) == (4, True, True)
        status, said = await ask("localhost", SSL_CERT_FILE=str(authority))
        assert (status, "shop" in said) == (0, True)
        status, said = await ask("127.0.0.1", SSL_CERT_FILE=str(authority))
        assert (status, "nobody proves to be" in said) == (4, True)


def _certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """For localhost, signed by itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, keys = folder / "certificate.pem", folder / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    keys.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, keys)
    return context, file


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "api.sock"


async def test_a_list_that_is_watched_is_shown_again_when_it_changes(
    cli: Cli, queries: FakeQueries, socket: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_module, "AGAIN_SECONDS", 0.02)
    shown: list[str] = []

    def echo(text: str = "", **_: Any) -> None:
        shown.append(text)
        if len(shown) == 1:
            queries.known.append(activity(9))
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(watch_module.click, "echo", echo)
    with capture_logs():
        async with open_fake_daemon(socket, queries, FakeCommands(queries)):
            for command in ("activities",):
                result = await cli(command, "--watch", "--json", DEPLOYD_SOCKET=str(socket))
    assert result.exit_code == 0
    assert [[item["id"] for item in json.loads(text)] for text in shown] == [[2, 1], [9, 2, 1]]


@pytest.mark.parametrize(("state", "status"), [("success", 0), ("failed", 1), ("superseded", 1), ("cancelled", 1)])
async def test_waiting_ends_as_the_push_ends(
    cli: Cli, queries: FakeQueries, url: str, state: str, status: int,
) -> None:
    queries.known.append(activity(3, commit=COMMIT, state=state))
    queries.logs[3] = [line(1, "composer install"), ending(2, state)]
    there = {"DEPLOYD_URL": url, "DEPLOYD_TOKEN": "secret-of-vera"}
    result = await cli("wait", "--branch", "main", "--commit", COMMIT, **there)
    assert (result.exit_code, "composer install" in result.output) == (status, True)
    result = await cli("wait", "--branch", "main", "--commit", COMMIT, "--json", **there)
    assert (result.exit_code, json.loads(result.output)["id"]) == (status, 3)
    result = await cli("wait", "--branch", "main", "--commit", COMMIT, "-q", **there)
    assert result.output == f"activity 3: {state}\n"


async def test_waiting_finds_what_is_checked_out_and_waits_until_it_is_known(
    cli: Cli, queries: FakeQueries, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository = tmp_path / "shop"
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.test")
    await run("git", "init", "-q", "-b", "feature/x", str(repository))
    await run("git", "-C", str(repository), *identity, "commit", "-q", "--allow-empty", "-m", "x")
    commit = (await run("git", "-C", str(repository), "rev-parse", "HEAD")).text
    (repository / "deep").mkdir()
    monkeypatch.chdir(repository / "deep")

    async def push() -> None:
        await asyncio.sleep(0.3)
        queries.known.append(activity(7, branch="feature/x", commit=commit))
        queries.logs[7] = [ending(1)]

    there = {"DEPLOYD_URL": url, "DEPLOYD_TOKEN": "secret-of-vera"}
    async with asyncio.TaskGroup() as group:
        group.create_task(push())
        result = await cli("wait", "-q", **there)
    assert (result.exit_code, result.output) == (0, "activity 7: success\n")
    monkeypatch.chdir(tmp_path)
    result = await cli("wait", **there)
    assert (result.exit_code, "cannot tell what is checked out" in result.output) == (1, True)


async def test_waiting_says_why_there_is_nothing_to_wait_for(cli: Cli, queries: FakeQueries, url: str) -> None:
    there = {"DEPLOYD_URL": url, "DEPLOYD_TOKEN": "secret-of-vera"}
    argv = ("wait", "--branch", "main", "--commit", COMMIT, "--appear", "0")
    assert (await cli(*argv, **there)).exit_code == 5
    queries.known += [activity(3, commit=COMMIT), activity(4, "blog", commit=COMMIT)]
    queries.logs |= {3: [ending(1)], 4: [ending(1)]}
    result = await cli(*argv, **there)
    assert (result.exit_code, "several projects: blog, shop" in result.output) == (2, True)
    assert (await cli(*argv, "-p", "blog", **there)).exit_code == 0


async def test_an_earlier_push_of_the_same_commit_is_not_taken_for_this_one(
    cli: Cli, queries: FakeQueries, url: str,
) -> None:
    there = {"DEPLOYD_URL": url, "DEPLOYD_TOKEN": "secret-of-vera"}
    queries.known += [activity(3, commit=COMMIT), activity(4, commit="d" * 40)]
    queries.logs |= {3: [ending(1)], 5: [ending(1)]}

    async def push() -> None:
        await asyncio.sleep(0.3)
        queries.known.append(activity(5, commit=COMMIT))

    argv = ("wait", "--branch", "main", "--commit", COMMIT, "-q")
    async with asyncio.TaskGroup() as group:
        group.create_task(push())
        assert (await cli(*argv, **there)).output == "activity 5: success\n"
    queries.known.append(activity(6, commit="d" * 40))
    assert (await cli(*argv, "--appear", "0", **there)).output == "activity 5: success\n"


async def test_what_is_not_over_is_neither_well_nor_wrong(cli: Cli, queries: FakeQueries, url: str) -> None:
    there = {"DEPLOYD_URL": url, "DEPLOYD_TOKEN": "secret-of-vera"}
    queries.known.append(activity(3, commit=COMMIT, state="in_progress"))
    queries.logs[3] = [line(1, "composer install")]
    argv = ("wait", "--branch", "main", "--commit", COMMIT)
    result = await cli(*argv, "--timeout", "0.3", **there)
    assert (result.exit_code, "deployd log -f 3" in result.output) == (8, True)
    queries.logs[3] = [line(1, "built, and waits: ada locked main", "held")]
    queries.known[-1] = replace(queries.known[-1], state="pending")
    assert (await cli(*argv, **there)).exit_code == 8


async def test_an_environment_is_opened_where_it_answers(cli: Cli, url: str) -> None:
    there = {"DEPLOYD_URL": url, "DEPLOYD_TOKEN": "secret-of-vera"}
    assert (await cli("open", "shop", "main", **there)).output == "http://shop.test/\n"
    page = (await cli("open", "shop", "main", "--console", **there)).output
    assert page == f"{url}/projects/shop/environments/main-bvxea6i\n"
    assert (await cli("open", "shop", "nothing", **there)).exit_code == 5


async def test_the_audit_log_is_shown_and_verified(cli: Cli, queries: FakeQueries, url: str) -> None:
    there = {"DEPLOYD_URL": url, "DEPLOYD_TOKEN": "secret-of-ada"}
    await cli("redeploy", "shop", "main", "--no-wait", **there)
    output = (await cli("audit", **there)).output
    assert re.search(r"1 +2026-05-04 10:00:00 +ada +api +127.0.0.1 +redeploy +shop +main +done", output)
    assert "1 entries" in (await cli("audit", "--verify", **there)).output
    db = queries.store.db
    db.executescript("DROP TRIGGER audit_only_grows")
    db.execute("UPDATE audit SET hash = 'x'")
    result = await cli("audit", "--verify", **there)
    assert (result.exit_code, "entry 1 does not follow" in result.output) == (1, True)


async def test_what_lost_its_answer_is_asked_again_with_its_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployd.cli.client.AGAIN_SECONDS", 0.01)
    keys: list[str] = []

    async def break_off(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) % 2 and request.transport is not None:
            request.transport.close()
        return web.json_response({"state": "in_progress"})

    app = web.Application()
    app.add_routes([web.post("/{rest:.*}", break_off)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there = {"DEPLOYD_URL": f"http://127.0.0.1:{runner.addresses[0][1]}", "DEPLOYD_TOKEN": "secret"}
    assert (await cli("cancel", "3", **there)).exit_code == 0
    assert (await cli("cancel", "3", **there)).exit_code == 0
    assert len(keys) == 4
    assert (keys[0], keys[2]) == (keys[1], keys[3])
    assert keys[0] != keys[2]
    await runner.cleanup()
