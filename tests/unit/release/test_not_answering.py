"""What is told of an application that does not answer, and of a `.environment` that ends the shell."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.engine.docker.listening import is_listening, listens_itself, tcp_listeners, unix_listeners
from deployd.engine.errors import EngineRefused
from deployd.process import run
from deployd.project.model import Application, Commands, Instance, Location, Rule, Web
from deployd.release.answers.not_answering import words_of_nginx
from deployd.release.answers.not_running import why_not_running
from deployd.release.applications.environment_file import Failure, environment_error, find_failure
from deployd.release.applications.start_script import ENVIRONMENT_ENDED
from deployd.release.applications.web_server import asks_application
from tests.doubles.engine import EngineDouble

ERROR = "2026/11/29 02:12:01 [error] 7#7: *1 {} while reading response header from upstream, client: 10.0.0.1"
END = f"{ENVIRONMENT_ENDED} 2"


@pytest.mark.parametrize(("met", "said"), [
    ("upstream prematurely closed connection", "closes it without an answer"),
    ("upstream prematurely closed FastCGI stdout", "closes it without an answer"),
    ("recv() failed (104: Connection reset by peer)", "breaks it off"),
    ('upstream sent no valid HTTP/1.0 header', "is not HTTP"),
    ("upstream sent unsupported FastCGI protocol version: 72", "is not FastCGI"),
    ("upstream sent too big header", "too large"),
])
def test_what_the_web_server_met_is_put_into_words(met: str, said: str) -> None:
    found = words_of_nginx(["something else", ERROR.format(met), "something after it"])
    assert found is not None
    assert said in found[0]


def test_the_last_that_it_met_counts_and_other_lines_say_nothing() -> None:
    lines = [ERROR.format("upstream sent too big header"), ERROR.format("upstream sent no valid HTTP/1.0 header")]
    found = words_of_nginx(lines)
    assert found is not None
    assert "is not HTTP" in found[0]
    assert words_of_nginx(["connect() failed (111: Connection refused) while connecting to upstream"]) is None


def test_the_line_is_the_one_that_dash_tells() -> None:
    said = '/etc/deployd/start: 12: ./.environment: Syntax error: "(" unexpected'
    assert find_failure(["before", said, END, said, END]) == Failure(2, 12, (said,))
    assert find_failure(["before", said, "1:set -e", END]) == Failure(2, 12, ("before", said))


def test_of_an_exit_that_says_nothing_the_line_is_looked_for() -> None:
    lines = ["1:set -e", "4:test -n \"$A\" || exit 3", f"{ENVIRONMENT_ENDED} 3", "app: something else"]
    assert find_failure(lines) == Failure(3, 4, (".environment:1: set -e", '.environment:4: test -n "$A" || exit 3'))
    lines = ["2:exit 2", "4:exit 3", f"{ENVIRONMENT_ENDED} 3"]
    assert find_failure(lines) == Failure(3, 0, (".environment:2: exit 2", ".environment:4: exit 3"))


def test_an_output_without_it_is_no_failure() -> None:
    assert find_failure(["Syntax error", f"{END} and more", f"x {END}"]) is None
    assert environment_error([], "", "x") is None


def test_the_place_is_in_the_root_of_its_application() -> None:
    error = environment_error(["s: 3: ./.environment: A: parameter not set", END], "services/api", "the hook")
    assert error is not None
    assert error.where == "services/api/.environment:3"
    assert "the hook was never begun" in error.what


def app(*locations: Location) -> Application:
    return Application("app", "python", "3.13", "", Web(Instance(Commands("sleep infinity")), "tcp", "http", locations))


@pytest.mark.parametrize(("locations", "asks"), [
    ((Location("/", passthru=True),), True),
    ((Location("/", root="public", index=("index.html",)),), False),
    ((Location("/", root="public", passthru="/index.html"),), False),
    ((Location("/", root="public", passthru="/app"), Location("/app", passthru=True)), True),
    ((Location("/", root="public", rules=(Rule("^/x", passthru=True),)),), True),
    ((Location("/", passthru="/nowhere"),), True),
], ids=["all", "files", "one page", "to a location", "by a rule", "no root"])
def test_whether_any_request_gets_to_an_application(locations: tuple[Location, ...], asks: bool) -> None:
    assert asks_application(app(*locations)) is asks


def test_sockets_are_found_with_their_numbers() -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 {} 1\n"
    text = head + row.format("00000000:22B8", "0A", 77) + row.format("0100007F:22B8", "0A", 78) + row.format(
        "0100007F:0050", "01", 79) + row.format("0B00007F:9999", "0A", 80)
    assert tcp_listeners(text) == {8888: {"77", "78"}}
    unix = "Num       RefCount Protocol Flags    Type St Inode Path\n"
    assert unix_listeners(f"{unix}0: 2 0 00010000 0001 01 55 /run/app.sock\n0: 2 0 00000000 0001 01 56 /x\n") == {
        "/run/app.sock": {"55"}}


async def test_who_listens_itself_is_told_from_who_has_a_child_that_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        parent = os.getppid()
        assert is_listening(os.getpid(), port)
        assert listens_itself(parent, os.getpid(), port)
        assert not listens_itself(parent, os.getpid(), port + 1)
        ended = await run("sh", "-c", "echo $$")
        assert not listens_itself(parent, int(ended.text), port), "it has ended"


def engine_with(*lines: str, **seen: Any) -> EngineDouble:
    engine = EngineDouble()
    engine.add("c", **seen)
    engine.print("c", *lines)
    return engine


@pytest.mark.parametrize(("engine", "said", "where"), [
    (engine_with(), "refused", ""),
    (engine_with("killed", restarts=3), "its container does not stay up (started anew 3 times)", ""),
    (engine_with("killed", running=False), "its container does not stay up", ""),
    (engine_with("s: 3: ./.environment: A: not set", END, restarts=1), "was never begun", ".environment:3"),
], ids=["it runs", "it restarts", "it has ended", ".environment"])
async def test_a_command_whose_container_does_not_run_says_why(engine: EngineDouble, said: str, where: str) -> None:
    host: Any = SimpleNamespace(engine=engine)
    error = await why_not_running(host, app(), "c", "the deploy hook of app", EngineRefused("refused"))
    assert said in error.what
    assert error.where == where
