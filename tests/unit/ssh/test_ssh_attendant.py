"""What `deployd-ssh` tells the daemon of all connections, whatever keys people have."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.access.people import LONGEST_KEY_BYTES
from deployd.ssh.attendant import MOST_KEYS, Attendant, in_parts
from deployd.ssh.bounds import Bounds, Connections
from deployd.ssh.link import LARGEST_MESSAGE_BYTES
from deployd.ssh.ports import Who


class Daemon:
    """Knows none of the keys."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def ask(self, verb: str, **values: Any) -> Any:
        self.asked.append({"verb": verb, **values})
        return SimpleNamespace(answer={"gone": values["keys"]}, leave=lambda: None)


class Server:
    sessions = 0
    used = 0.0

    def __init__(self, key: bytes) -> None:
        self.who = Who(key, "2001:db8::1", "ada", "c0ffee")
        self.ended = ""

    def disconnect(self, why: str) -> None:
        self.ended = why


async def test_the_longest_keys_fit_into_messages_and_none_is_left_out() -> None:
    servers = {Server(number.to_bytes(2, "big") * (LONGEST_KEY_BYTES // 2)) for number in range(120)}
    door: Any = SimpleNamespace(
        servers=servers, connections=Connections(Bounds()),
        failed={f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:{number:04x}": 1_000 for number in range(1_000)},
    )
    daemon: Any = Daemon()
    await Attendant(daemon, door).look()
    assert max(len(json.dumps(asked)) for asked in daemon.asked) < LARGEST_MESSAGE_BYTES
    assert all(server.ended for server in servers)


@pytest.mark.parametrize(("keys", "parts"), [([], [[]]), (["a"], [["a"]]), (["a"] * 51, [["a"] * MOST_KEYS, ["a"]])])
def test_keys_go_in_parts(keys: list[str], parts: list[list[str]]) -> None:
    assert in_parts(keys) == parts
