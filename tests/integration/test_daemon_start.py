"""A daemon that cannot serve says so in a sentence and leaves nothing behind."""

import socket
import sys
from pathlib import Path

from deployd.engine.docker import Engine
from deployd.engine.names import INSTANCE
from deployd.process import run
from scripts.local_daemon import ROOT, LocalDaemon


async def test_a_taken_port_is_said_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon = LocalDaemon(tmp_path, {}, instance="test-start-taken",
                             api_port=other.getsockname()[1])
        daemon.write_settings()
        ended = await run(sys.executable, "-m", "deployd", "serve", "--settings", str(daemon.settings_file),
                          cwd=ROOT, check=False)
    assert ended.status == 1
    said = "\n".join(ended.last_lines())
    assert f"cannot listen on 127.0.0.1:{daemon.api_port}: another program has the port" in said
    assert "mend: stop the program that has the port" in said
    async with Engine() as engine:
        assert await engine.containers({INSTANCE: daemon.instance}) == ()
