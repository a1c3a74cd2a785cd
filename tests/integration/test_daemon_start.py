"""A daemon that cannot serve says so in a sentence and leaves nothing behind."""

import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.engine.docker.engine import Engine
from deployd.engine.names import instance_labels
from deployd.firewall.kernel_table import ensure_table_gone
from deployd.firewall.rules import table_name
from deployd.process import run
from scripts.local_daemon import ROOT, LocalDaemon


@pytest.fixture
async def tiny_disk(tmp_path: Path) -> AsyncIterator[Path]:
    """A disk of 200 kB."""
    await run("mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tmp_path))
    yield tmp_path
    await run("umount", "--lazy", str(tmp_path))


async def test_a_full_disk_is_said_in_a_sentence(tiny_disk: Path) -> None:
    daemon = LocalDaemon(tiny_disk, {}, instance="test-start-full")
    daemon.write_settings()
    said = await start_in_vain(daemon)
    assert "deployd cannot start" in said
    assert "full" in said
    assert "hint:" in said
    assert "Traceback" not in said
    await ensure_table_gone(table_name(daemon.instance))   # closed is closed, also when the rest cannot be had


async def test_a_taken_port_is_said_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon = LocalDaemon(tmp_path, {}, instance="test-start-taken",
                             api_port=other.getsockname()[1])
        daemon.write_settings()
        said = await start_in_vain(daemon)
    assert f"cannot listen on 127.0.0.1:{daemon.api_port}: another program has the port" in said
    assert "hint: stop the program that has the port" in said
    async with Engine() as engine:
        assert await engine.containers(instance_labels(daemon.instance)) == ()


async def start_in_vain(daemon: LocalDaemon) -> str:
    """What a daemon says that does not start."""
    ended = await run(sys.executable, "-m", "deployd", "serve", "--settings", str(daemon.settings_file),
                      cwd=ROOT, check=False)
    assert ended.status == 1
    return "\n".join(ended.last_lines())
