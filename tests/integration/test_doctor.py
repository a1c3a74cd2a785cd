"""The doctor on this host: without a daemon, beside one, and without Docker."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deployd.process import Output, run
from deployd.slugs.mount import mounts_below
from scripts.local_daemon import LocalDaemon, free_port
from scripts.removal import left_behind, remove_all

ROOT = Path(__file__).parent.parent.parent


async def doctor(file: Path, *more: str) -> Output:
    return await run(sys.executable, "-m", "deployd", "doctor", "--settings", str(file), *more, check=False, cwd=ROOT)


def write(folder: Path, **more: Any) -> Path:
    values = {
        "instance": "test-doctor", "directory": str(folder / "var"), "listen": f"127.0.0.1:{free_port()}",
        "router": {"address": "127.0.0.1", "http_port": free_port(), "https_port": None},
        "tokens": [{"name": "ada", "role": "admin", "secret": "0123456789abcdef"}], "projects": {"shop": {}}, **more,
    }
    file = folder / "deployd.yaml"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(values))
    return file


def by_name(output: Output) -> Mapping[str, dict[str, Any]]:
    return {item["name"]: item for item in json.loads(output.stdout)["findings"]}


async def test_a_host_that_has_everything_is_well_without_a_daemon(tmp_path: Path) -> None:
    output = await doctor(write(tmp_path))
    assert output.status == 0, output.text
    lines = output.text.splitlines()
    assert "✓ user        root" in lines
    assert "✓ slugs       packed, mounted and read one" in lines
    assert any(text.startswith("✓ firewall    the kernel takes its rules; no addresses opened") for text in lines)
    assert any(text.startswith("✓ docker      ") for text in lines)
    assert any(text.startswith("! daemon      none answers at ") for text in lines)
    assert lines[-1].endswith(" 0 wrong")
    assert b"Traceback" not in output.stderr


async def test_the_doctor_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "var/state").mkdir(parents=True)
    await doctor(write(tmp_path))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deployd.yaml", "state", "var"]
    assert await mounts_below(tmp_path) == ()


async def test_without_docker_the_rest_is_looked_at_all_the_same(tmp_path: Path) -> None:
    output = await doctor(write(tmp_path, docker_socket=str(tmp_path / "none.sock")), "--json")
    found = by_name(output)
    assert output.status == 1
    assert json.loads(output.stdout)["well"] is False
    assert found["docker"]["state"] == "wrong"
    assert found["docker"]["hint"]
    assert found["disk"]["state"] == "well"


async def test_settings_that_are_wrong_are_told_with_their_keys(tmp_path: Path) -> None:
    output = await doctor(write(tmp_path, listn="x", freeze_seconds=900), "--json")
    assert output.status == 1
    first = json.loads(output.stdout)["findings"][0]
    assert (first["name"], first["state"]) == ("settings", "wrong")
    assert [line.partition(":")[0] for line in first["evidence"]] == ["freeze_seconds", "listn"]


async def test_ports_of_a_running_deployd_are_its_own(tmp_path: Path) -> None:
    daemon = LocalDaemon(tmp_path, {"shop": {}})
    try:
        await daemon.start(limit_seconds=300)
        output = await doctor(daemon.settings_file, "--json")
        found = by_name(output)
        assert output.status == 0, output.text
        assert found["daemon"]["says"].endswith(": ok")
        assert found[f"port {daemon.api_port}"]["says"] == "our daemon has it (listen)"
        assert found[f"port {daemon.http_port}"]["says"] == "our router has it (router.http_port)"

        (tmp_path / "other").mkdir()
        router = {"address": "127.0.0.1", "http_port": daemon.http_port, "https_port": None}
        other = write(tmp_path / "other", listen=f"127.0.0.1:{daemon.api_port}", router=router)
        found = by_name(await doctor(other, "--json"))
        assert f"(process {daemon.running()}) has it (listen)" in found[f"port {daemon.api_port}"]["says"]
        assert found[f"port {daemon.http_port}"]["says"].startswith("nginx (process ")
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, tmp_path)
    assert await left_behind(daemon.instance, tmp_path) == []
