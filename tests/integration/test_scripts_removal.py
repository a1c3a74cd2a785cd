"""The removal of all that one daemon made, on the real Engine and kernel; and that nothing else is touched."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.removal import left_behind, remove_all

IMAGE = "deployd/web:1"


def docker(*arguments: str) -> str:
    return subprocess.run(("docker", *arguments), check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def instance() -> Iterator[str]:
    name = f"test-scripts-{secrets.token_hex(3)}"
    make(name)
    yield name
    subprocess.run(f"docker rm -fv {name} {name}-stopped; docker network rm {name}; docker volume rm {name}",
                   shell=True, capture_output=True, check=False)


def make(name: str) -> None:
    label = ("--label", f"deployd={name}")
    docker("network", "create", *label, name)
    docker("volume", "create", *label, name)
    docker("run", "--detach", *label, "--name", name, "--network", name, "--volume", f"{name}:/d", IMAGE, "sleep", "60")
    docker("create", *label, "--name", f"{name}-stopped", IMAGE, "sleep", "60")


def mount(folder: Path) -> None:
    (folder / "tree").mkdir(parents=True)
    (folder / "on it").mkdir()
    subprocess.run(("mksquashfs", folder / "tree", folder / "a.squashfs", "-quiet", "-no-progress"), check=True,
                   capture_output=True)
    subprocess.run(("mount", "-o", "loop,ro", folder / "a.squashfs", folder / "on it"), check=True)


async def test_everything_of_an_instance_goes(instance: str, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    mount(folder)
    assert len(await left_behind(instance, folder)) == 7   # two containers, network, volume, mount, loop device, folder
    removed = await remove_all(instance, folder)
    # A container that is started beside this test copies all mounts for a moment, and holds the loop device.
    there = [item for item in removed if item != "1 loop device"]
    assert there == ["2 containers", "1 network", "1 volume", "1 mount", f"the folder {folder}"]
    assert await left_behind(instance, folder) == []
    assert await remove_all(instance, folder) == []


async def test_what_belongs_to_others_stays(instance: str, tmp_path: Path) -> None:
    await remove_all(f"{instance}-other", tmp_path / "nowhere")
    assert len([item for item in await left_behind(instance, tmp_path / "nowhere") if "folder" not in item]) == 4


async def test_a_process_that_is_left_is_named(tmp_path: Path) -> None:
    script = tmp_path / "d" / "run.sh"
    script.parent.mkdir()
    script.write_text("sleep 60\n")
    with subprocess.Popen(("sh", str(script))) as process:
        left = await left_behind("test-scripts-none", script.parent)
        process.kill()
    assert f"process {process.pid} (sh {script})" in left
