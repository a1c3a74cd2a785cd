"""The units in systemd/, as they are, under a real systemd: start, reload, crash, hang, socket, stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from deployd.firewall.rules import table_name
from deployd.mail.supervisor import MAIL_SERVER_UID
from deployd.process import open_process, run
from deployd.ssh.places import SSH_UID
from scripts.local_daemon import free_port
from scripts.repository import make_repository
from tests.support.developer import APP, SERVER, Developer
from tests.support.intake_stand import developer_environment
from tests.support.ssh_stand import make_key
from tests.systemd.host import SystemdHost, systemd_host

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WATCHDOG_SECONDS = 6
RUNNING = {"ActiveState": "active", "SubState": "running"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host() -> AsyncIterator[SystemdHost]:
    overrides = {"deployd.service": f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}\n"}
    async with systemd_host(("blog",), overrides) as made:
        port = f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{made.daemon.api_port}\n"
        await made.sh("mkdir", "-p", "/etc/systemd/system/deployd.socket.d")
        await made.sh("sh", "-c", f"printf '{port}' > /etc/systemd/system/deployd.socket.d/port.conf")
        await made.systemctl("daemon-reload")
        await made.systemctl("start", "deployd.service")
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def me(host: SystemdHost, tmp_path_factory: pytest.TempPathFactory) -> Developer:
    """Somebody whose first version is live."""
    folder = tmp_path_factory.mktemp("blog")
    source = folder / "source"
    source.mkdir()
    for name, text in {".platform.app.yaml": APP, "server.py": SERVER, "text": "first"}.items():
        (source / name).write_text(text)
    await make_repository(folder / "tree", source)
    developer = Developer(host.daemon, folder / "tree", "blog")
    pushed = await developer.push()
    assert pushed.deployed, "\n".join(pushed.lines)
    return developer


async def test_a_hardened_service_is_ready_when_systemd_says_so_and_deploys(host: SystemdHost, me: Developer) -> None:
    seen = await host.show("ActiveState", "SubState", "Type", "NRestarts")
    assert seen == {**RUNNING, "Type": "notify", "NRestarts": "0"}
    assert await me.page() == (200, "first on main")


async def test_the_mail_server_runs_in_the_hardened_service_and_has_hardly_a_right(host: SystemdHost) -> None:
    status = "/proc/$(pgrep -f 'mail[.]server')/status"
    await host.sh("sh", "-c", f"until grep -q '^CapEff.*000400$' {status}; do sleep 0.1; done", limit_seconds=60)
    found = await host.sh("sh", "-c", f"grep -E '^(Uid|CapEff|NoNewPrivs)' {status}")
    uid, capabilities, no_new = (line.split()[1] for line in found.text.splitlines())
    assert (uid, int(capabilities, 16), no_new) == (str(MAIL_SERVER_UID), 1 << 10, "1"), "only ports below 1024"
    async with host.daemon.session() as session, session.get("/status") as answer:
        assert (await answer.json())["reasons"] == []


async def test_the_firewall_is_there_after_a_boot_before_docker_is(host: SystemdHost, me: Developer) -> None:
    table = ("table", "inet", table_name(host.daemon.instance))
    await host.systemctl("stop", "deployd.service")
    await host.sh("cp", f"{host.daemon.directory}/var/state/firewall.nft", "/var/lib/deployd/firewall.nft")
    await host.sh("nft", "delete", *table)
    await host.systemctl("start", "deployd-firewall.service")
    assert "jump refused" in (await host.sh("nft", "list", *table)).text
    assert "docker.service" in (await host.show("Before", unit="deployd-firewall.service"))["Before"]
    await host.systemctl("start", "deployd.service")
    assert await me.page() == (200, "first on main")


async def test_ssh_is_a_unit_of_its_own_whose_connections_outlive_the_daemon(
    host: SystemdHost, me: Developer, tmp_path: Path,
) -> None:
    """Its folders lie elsewhere here than on a host, so its unit is told where."""
    there = f"[Service]\nPrivateTmp=no\nReadWritePaths={host.daemon.directory}\n"
    await host.sh("mkdir", "-p", "/etc/systemd/system/deployd-ssh.service.d")
    await host.sh("sh", "-c", f"printf '{there}' > /etc/systemd/system/deployd-ssh.service.d/test.conf")
    await host.systemctl("daemon-reload")
    host.daemon.ssh_port = free_port()
    host.write_settings({})
    await host.systemctl("reload", "deployd.service")
    await host.systemctl("start", "deployd-ssh.service")
    assert await host.show("ActiveState", "SubState", unit="deployd-ssh.service") == RUNNING
    key = make_key(tmp_path / "key")
    await _take_in(host, key)
    ssh = ["ssh", "-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
           "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
    async with open_process(*ssh, "-vN", "-p", str(host.daemon.ssh_port), "git@127.0.0.1") as connection:
        async with asyncio.timeout(60):
            while b"Authenticated to" not in await connection.stderr.readline():
                pass
        before = await host.show("MainPID", unit="deployd-ssh.service")
        await host.systemctl("restart", "deployd.service")
        assert not connection.has_ended
        listed = await run(
            "git", "ls-remote", host.daemon.ssh_url("blog"),
            env=developer_environment() | {"GIT_SSH_COMMAND": " ".join(ssh)},
        )
        assert "refs/heads/main" in listed.text
        assert await host.show("MainPID", unit="deployd-ssh.service") == before
    found = await host.sh("sh", "-c", f"grep -E '^(Uid|CapEff|NoNewPrivs)' /proc/{before['MainPID']}/status")
    assert [line.split()[1] for line in found.text.splitlines()] == [str(SSH_UID), f"{1 << 10:016x}", "1"]
    await host.systemctl("stop", "deployd-ssh.service")
    async with asyncio.timeout(60):
        while "deployd-ssh does not run" not in await _get(host, "/status"):
            await asyncio.sleep(0.2)
    host.daemon.ssh_port = 0
    host.write_settings({})
    await host.systemctl("reload", "deployd.service")


async def _take_in(host: SystemdHost, key: Path) -> None:
    async with host.daemon.session() as session:
        for path, body in (("people", {"id": "ada", "roles": {"*": "contributor"}}),
                           ("people/ada/keys", {"label": "laptop", "key": key.with_suffix(".pub").read_text()})):
            async with session.post(f"/api/v1/{path}", json=body) as answer:
                assert answer.status == 201, await answer.text()


async def test_reload_reads_the_settings_in_the_same_process_and_visitors_do_not_notice(
    host: SystemdHost, me: Developer,
) -> None:
    before = await host.show("MainPID")
    async with _visitor(me) as seen:
        host.write_settings({"projects": {"blog": {"title": "Another title"}}})
        await host.systemctl("reload", "deployd.service")
        async with asyncio.timeout(60):
            while "Another title" not in await _get(host, "/api/v1/projects"):
                await asyncio.sleep(0.1)
    assert await host.show("MainPID", "ActiveState", "NRestarts") == {
        **before, "ActiveState": "active", "NRestarts": "0",
    }
    watchdog = await host.show("WatchdogUSec")
    assert watchdog == {"WatchdogUSec": f"{WATCHDOG_SECONDS}s"}, "it counts again"
    assert set(seen) == {(200, "first on main")}


async def test_settings_that_are_not_valid_are_told_and_change_nothing(host: SystemdHost, me: Developer) -> None:
    good = host.daemon.settings_file.read_text()
    host.daemon.settings_file.write_text(good + "\nfreeze_seconds: many\n")
    try:
        await host.systemctl("reload", "deployd.service")
        async with asyncio.timeout(60):
            while "reload_refused" not in (told := await host.journal()):
                await asyncio.sleep(0.1)
    finally:
        host.daemon.settings_file.write_text(good)
    assert "freeze_seconds" in told
    assert await host.show("ActiveState", "SubState") == RUNNING
    assert "Another title" in await _get(host, "/api/v1/projects")


async def test_a_daemon_that_is_killed_or_hangs_is_started_again(host: SystemdHost, me: Developer) -> None:
    async with _visitor(me) as seen:
        for number, signal in enumerate(("SIGKILL", "SIGSTOP"), start=1):   # a stopped one no longer feeds the watchdog
            await host.systemctl("kill", "--kill-whom=main", f"--signal={signal}", "deployd.service")
            await host.until(NRestarts=str(number), **RUNNING)
    assert set(seen) == {(200, "first on main")}
    assert "Watchdog timeout" in await host.journal()
    await me.write({"text": "second"})
    assert (await me.push()).deployed
    assert await me.page() == (200, "second on main")


async def test_with_the_socket_unit_a_push_waits_for_a_daemon_that_is_away(host: SystemdHost, me: Developer) -> None:
    await host.systemctl("stop", "deployd.service")
    await host.systemctl("start", "deployd.socket")
    assert await host.show("ActiveState") == {"ActiveState": "inactive"}
    await me.write({"text": "third"})
    assert (await me.push()).deployed   # its connection is what starts the daemon
    assert await me.page() == (200, "third on main")
    await host.until(**RUNNING)


async def test_stop_ends_the_daemon_and_environments_go_on(host: SystemdHost, me: Developer) -> None:
    page = await me.page()
    await host.systemctl("stop", "deployd.socket", "deployd.service")
    assert await host.show("ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert page[0] == 200
    assert await me.page() == page
    left = await host.sh("pgrep", "--full", "deployd serve", check=False)
    assert left.text == ""


@contextlib.asynccontextmanager
async def _visitor(me: Developer) -> AsyncIterator[list[tuple[int, str]]]:
    """Asks for the page all the while; gives the answers."""
    seen: list[tuple[int, str]] = []

    async def ask() -> None:
        while True:
            seen.append(await me.page())
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        visitor = group.create_task(ask(), name="visitor")
        yield seen
        visitor.cancel()
    assert seen


async def _get(host: SystemdHost, path: str) -> str:
    try:
        async with host.daemon.session() as session, session.get(path) as answer:
            return await answer.text()
    except aiohttp.ClientError:   # between its end and its start
        return ""
