"""What the doctor makes of what it sees; looking itself is tested on a real host in tests/integration."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployd.catalogue import Catalogue, load_catalogue
from deployd.cli.doctor.docker import judge_engine, judge_images
from deployd.cli.doctor.finding import Finding, findings_as_json, render_finding, render_summary, well, wrong
from deployd.cli.doctor.firewall import look_at_firewall
from deployd.cli.doctor.host import judge_room, look_at_folders, look_at_systemd, look_at_user
from deployd.cli.doctor.listeners import Listener, listeners, parse_listening, server_of
from deployd.cli.doctor.network import HostRoute, judge_pool, parse_routes
from deployd.cli.doctor.ports import look_at_ports, taken, try_port
from deployd.cli.doctor.programs import judge_git, look_at_slugs
from deployd.cli.doctor.settings import look_at_catalogue, look_at_settings
from deployd.engine.docker.connection import EngineInfo
from deployd.errors import DeployError
from deployd.settings import Settings, config_folder

TOKEN = "tokens: [{name: ada, role: admin, secret: 0123456789abcdef}]\n"
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2120 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 ffff 100 0 0 10 0
   1: 0100007F:2120 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 12346 1 ffff 20 4 30 10 -1
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 ffff 100 0 0 10 0
"""
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t0000D00A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
br-1234567890ab\t0000D10A\t00000000\t0001\t0\t0\t0\tC0FFFFFF\t0\t0\t0
"""


def settings(folder: Path, **more: Any) -> Settings:
    return Settings.model_validate({"directory": str(folder), **more})


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(config_folder() / "catalogue.yaml")


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_finding_is_a_line_and_says_how_to_mend_it() -> None:
    assert render_finding(well("git", "2.39.5")) == ["✓ git         2.39.5"]
    error = DeployError("nobody answers", where="/x.sock", evidence=("a", "b"), hint="start it")
    assert render_finding(Finding.of("docker", error)) == [
        "✗ docker      nobody answers (/x.sock)", "              | a", "              | b",
        "              hint: start it",
    ]


def test_findings_are_counted_and_told_to_programs() -> None:
    found = [well("git", "2.39.5"), wrong("disk", "full", "make room")]
    assert render_summary(found) == "1 well, 0 in doubt, 1 wrong"
    assert findings_as_json(found) == {"well": False, "findings": [
        {"name": "git", "state": "well", "says": "2.39.5", "hint": "", "evidence": ()},
        {"name": "disk", "state": "wrong", "says": "full", "hint": "make room", "evidence": ()},
    ]}


def test_settings_that_cannot_be_used_leave_the_defaults(tmp_path: Path) -> None:
    used, found = look_at_settings(tmp_path / "deployd.yaml")
    assert used == Settings()
    assert [item.state for item in found] == ["wrong", "doubt"]
    (tmp_path / "deployd.yaml").write_text("lissen: 127.0.0.1:1\n")
    said = "lissen: there is no such key   deployd.yaml:1"
    assert look_at_settings(tmp_path / "deployd.yaml")[1][0].evidence == (said,)


def test_settings_without_tokens_and_projects_are_in_doubt(tmp_path: Path) -> None:
    (tmp_path / "deployd.yaml").write_text("")
    _, found = look_at_settings(tmp_path / "deployd.yaml")
    assert [item.says for item in found] == [
        f"{tmp_path}/deployd.yaml: 0 projects, 0 tokens", "there is no token: nobody can push over HTTP",
        "there is no project: nothing can be pushed",
    ]


def test_secrets_that_others_can_read_are_in_doubt(tmp_path: Path) -> None:
    file = tmp_path / "deployd.yaml"
    file.write_text(TOKEN + "projects: {shop: {}}\n")
    file.chmod(0o644)
    assert look_at_settings(file)[1][1].hint == f"chmod 600 {file}"
    file.chmod(0o600)
    assert [item.state for item in look_at_settings(file)[1]] == ["well"]


def test_sensitive_values_that_cannot_be_masked_are_in_doubt(tmp_path: Path) -> None:
    file = tmp_path / "deployd.yaml"
    file.touch(mode=0o600)
    variables = "variables: {'env:PIN': {value: 1234, sensitive: true}, 'env:KEY': {value: abcdef, sensitive: true}}"
    file.write_text(TOKEN + f"projects: {{shop: {{{variables}}}}}\n")
    assert [item.says for item in look_at_settings(file)[1] if item.state != "well"] == [
        "variables.env:PIN of shop is too short to be masked in logs",
    ]


def test_a_variable_that_no_program_finds_is_in_doubt(tmp_path: Path) -> None:
    file = tmp_path / "deployd.yaml"
    file.touch(mode=0o600)
    file.write_text(TOKEN + "projects: {shop: {variables: {'env:my-key': x}}}\n")
    [found] = [item for item in look_at_settings(file)[1] if item.state != "well"]
    assert found.says.startswith("shop: variables.env:my-key: no program finds it")
    assert found.hint == "use another name"


def test_a_catalogue_is_read(tmp_path: Path) -> None:
    assert look_at_catalogue(settings(tmp_path))[1][0].state == "well"
    nothing, found = look_at_catalogue(settings(tmp_path, catalogue=str(tmp_path / "none.yaml")))
    assert nothing is None
    assert found[0].state == "wrong"


def test_only_root_is_well() -> None:
    assert look_at_user(0).state == "well"
    assert look_at_user(1000).says == "this is user 1000: only root can mount slugs"


async def test_a_host_without_a_firewall_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without = Settings.model_validate({"containers": {"firewall": "none"}})
    assert (await look_at_firewall(without, user=0)).state == "doubt"
    assert (await look_at_firewall(Settings(), user=1000)).state == "doubt"
    monkeypatch.setenv("PATH", str(tmp_path))
    found = await look_at_firewall(Settings(), user=0)
    assert found.state == "wrong"
    assert "apt-get install nftables" in found.hint


def test_systemd_is_wished_for(tmp_path: Path) -> None:
    assert look_at_systemd(tmp_path).state == "well"
    assert look_at_systemd(tmp_path / "none").state == "doubt"


def test_folders_need_not_be_there_yet(tmp_path: Path) -> None:
    assert [item.state for item in look_at_folders(settings(tmp_path / "a/b"))] == ["well"]


def test_a_file_in_the_way_of_a_folder_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    found = look_at_folders(settings(tmp_path / "var"))
    assert [item.says for item in found] == [
        f"{tmp_path}/var/{name} cannot be made or written: {tmp_path}/var is in the way" for name in ("state", "run")]


def test_sockets_with_long_paths_are_wrong(tmp_path: Path) -> None:
    (found,) = look_at_folders(settings(tmp_path / ("x" * 100)))
    assert found.says.endswith("and the kernel takes 107")


@pytest.mark.parametrize(("free_mb", "state"), [(100_000, "well"), (3000, "doubt"), (1000, "wrong")])
def test_room_is_judged_by_what_builds_need(free_mb: int, state: str) -> None:
    assert judge_room(Path("/var"), free_mb * 1_000_000, 1024).state == state


@pytest.mark.parametrize(("text", "state"), [
    ("git version 2.39.5", "well"), ("git version 2.30.0", "well"), ("git version 2.54.GIT", "well"),
    ("git version 3.0.1", "well"), ("git version 2.20.1", "wrong"), ("git version 1.99.0", "wrong"), ("what?", "wrong"),
])
def test_git_is_new_enough(text: str, state: str) -> None:
    assert judge_git(text).state == state


async def test_without_root_no_slug_is_mounted(tmp_path: Path) -> None:
    assert (await look_at_slugs(settings(tmp_path), user=1000)).state == "doubt"


async def test_a_program_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = await look_at_slugs(settings(tmp_path), user=0)
    assert (found.says, found.hint) == ("the program mksquashfs is not installed", "apt-get install squashfs-tools")


def test_routes_of_the_host_are_read_without_dockers() -> None:
    assert parse_routes(ROUTES) == (HostRoute("tun0", ipaddress.IPv4Network("10.208.0.0/16")),)


def test_a_pool_that_is_reached_elsewhere_is_in_doubt() -> None:
    routes = parse_routes(ROUTES)
    assert judge_pool("10.208.0.0/12", routes).says == (
        "10.208.0.0/12, the pool for environments, overlaps with 10.208.0.0/16, which this host reaches by tun0")
    assert judge_pool("10.224.0.0/12", routes).state == "well"
    assert judge_pool("fd00::/64", routes).state == "well"


def test_sockets_that_listen_are_told_from_those_that_talk() -> None:
    assert parse_listening(TCP, 8480) == {"12345"}
    assert parse_listening(TCP, 80) == {"777"}
    assert parse_listening(TCP, 443) == frozenset()


def test_who_listens_is_found(listening: int) -> None:
    assert os.getpid() in [item.pid for item in listeners(listening)]
    assert listeners(1) == ()


def test_who_serves_a_unix_socket_is_found(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    assert server_of(path) is None
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert server_of(path) is None
        server.listen()
        assert server_of(path) == os.getpid()


def test_a_port_is_tried_by_taking_it(listening: int) -> None:
    assert try_port("127.0.0.1", listening) == errno.EADDRINUSE
    assert try_port("0.0.0.0", listening) == errno.EADDRINUSE
    assert try_port("192.0.2.1", 8480) == errno.EADDRNOTAVAIL
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    assert try_port("127.0.0.1", free) is None
    assert try_port("[::1]", free) in (None, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def test_a_port_of_another_program_is_wrong_and_names_it(listening: int, tmp_path: Path) -> None:
    used = settings(tmp_path, listen=f"127.0.0.1:{listening}", router={"https_port": None})
    of_both = used.router.model_copy(update={"http_port": listening})   # which is refused when it is read
    found = look_at_ports(used.model_copy(update={"router": of_both}), None)
    assert [item.state for item in found] == ["wrong", "wrong"]
    assert f"(process {os.getpid()}) has it (listen)" in found[0].says
    assert found[1].hint == "stop that program, or choose another port with `router.http_port`"


def test_a_port_is_ours_when_the_daemons_socket_is_of_the_same_process(listening: int, tmp_path: Path) -> None:
    used = settings(tmp_path, listen=f"127.0.0.1:{listening}", router={"https_port": None})
    used.run.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(used.api_socket))
        server.listen()
        assert look_at_ports(used, None)[0].says == "our daemon has it (listen)"


def test_nobody_knows_who_has_a_port() -> None:
    assert taken("port 80", "router.http_port", ()).says == "another program has it (router.http_port)"
    many = [Listener(number, "nginx", "") for number in range(1, 6)]
    assert taken("port 80", "x", many).says == "nginx (process 1), nginx (process 2), nginx (process 3) has it (x)"


@pytest.mark.parametrize(("driver", "limits", "states"), [
    ("overlay2", True, ["well"]), ("vfs", True, ["well", "doubt"]), ("overlay2", False, ["well", "doubt"]),
])
def test_an_engine_is_judged(driver: str, limits: bool, states: list[str]) -> None:
    info = EngineInfo("20.10.24", "1.41", driver, 2, 2**30, "2", limits)
    assert [item.state for item in judge_engine(info)] == states


def test_missing_images_are_no_fault_but_a_wait(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    assert judge_images(catalogue, []).state == "well"
    names = [name for name, entry in catalogue.entries() if not entry.suite]
    assert judge_images(catalogue, ["router", "web"]).state == "doubt"
    typed = [name for name in names if ":" in name][:8]
    assert judge_images(catalogue, typed).says.endswith(f"{typed[5]} and 2 more")
    assert judge_images(catalogue, typed).state == "well"
    base = next(name for name, entry in catalogue.entries() if entry.suite)
    monkeypatch.setenv("PATH", "/nowhere")
    assert judge_images(catalogue, [base]).hint == "apt-get install mmdebstrap"
