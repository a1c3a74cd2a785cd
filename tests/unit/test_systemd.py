"""What systemd is told, as it hears it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployd.systemd import notify, ready, reloading


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield channel


def test_a_reload_has_no_watchdog_until_the_daemon_is_ready_again(
    heard: socket.socket, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    reloading()
    assert heard.recv(1000) == b"RELOADING=1\nWATCHDOG_USEC=600000000"
    ready("2 environments are live")
    assert heard.recv(1000) == b"READY=1\nSTATUS=2 environments are live\nWATCHDOG_USEC=30000000"


def test_a_unit_without_a_watchdog_gets_none(heard: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    reloading()
    ready("all is well")
    assert heard.recv(1000) == b"RELOADING=1"
    assert heard.recv(1000) == b"READY=1\nSTATUS=all is well"


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
