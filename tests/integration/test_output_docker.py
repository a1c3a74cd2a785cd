"""What a container prints, out of Docker's own files: hostile, set aside while it is followed, kept when it goes."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.activity.masking import Masker
from deployd.clock import SystemClock
from deployd.engine.container_cache import ContainerCache
from deployd.engine.docker.engine import Engine
from deployd.engine.errors import EngineRefused
from deployd.engine.names import Names
from deployd.engine.specs import ContainerSpec
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.output.outputs import Outputs
from deployd.output.retention import Retention, keep_output
from deployd.output.sources import OutputFilter

IMAGE = "deployd/base:trixie"
SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-bvxea6p")
SHOP_MAIN = EnvironmentId(SHOP, MAIN)
LINES = 20_000
PROGRAM = r"""
printf '\033[2J\033]0;title\007plain\n'; printf '\377\376 no text\n'; printf 'a se\033[1mcret-value\n'
printf 'no end'; sleep 0.2; printf ' yet\n'; head -c 100000 /dev/zero | tr '\0' x; echo
i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); [ $((i % 1000)) != 0 ] || sleep 0.15; done
sleep 1.5; yes 'as fast as it can' | head -c 1500000
sleep 0.5; echo; sleep 0.3; echo the last line >&2; sleep 0.2; printf 'without an end'
"""


class Stand:
    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.names = Names(f"test-{uuid.uuid4().hex[:6]}", SHOP_MAIN)
        self.name = self.names.container(ActivityId(7), "app", "shop")
        self.cache = ContainerCache(engine, self.names.instance)
        self.kept = folder / "output"
        self.outputs = Outputs(
            engine, self.cache, lambda *_: self.kept, lambda *_: folder / "crons", Masker(["secret-value"]).clean_all,
            SystemClock(),
        )

    async def printed(self, lines: int | None = None) -> list[dict[str, str]]:
        follower = await self.outputs.follow(SHOP_MAIN, OutputFilter(version=7), start="", lines=lines)
        found = b""
        while text := await follower.rest():
            found += text
        follower.close()
        return [json.loads(line) for line in found.splitlines()]


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with Engine() as engine:
        made = Stand(engine, tmp_path)
        await engine.ensure_container(ContainerSpec(
            made.name, IMAGE, made.names.labels("app", "shop", ActivityId(7)), command=("sh", "-c", PROGRAM),
            entrypoint=(), log_max_bytes=400_000,
        ))
        yield made
        await engine.ensure_container_gone(made.name, stop_seconds=0)


async def test_what_a_container_prints_is_followed_bounded_cleaned_and_kept(
    stand: Stand, tmp_path: Path,
) -> None:
    folder, stand.engine._folder = stand.engine._folder, tmp_path
    with pytest.raises(EngineRefused, match="cannot read what containers print"):
        await stand.printed()
    stand.engine._folder = folder
    follower = await stand.outputs.follow(SHOP_MAIN, OutputFilter(), start="", lines=None)
    found: list[dict[str, str]] = []
    async with asyncio.timeout(60):
        while not found or found[-1]["text"] != "without an end":
            found += map(json.loads, (await follower.take() or b"").splitlines())
    follower.close()
    texts = [line["text"] for line in found]
    assert texts[:4] == ["plain", "\ufffd\ufffd no text", "a ***", "no end yet"]
    assert texts[4] == "x" * 16_384 + " […]"
    assert texts[5:5 + LINES] == [f"line {number}" for number in range(LINES)], "over the files that were set aside"
    assert (found[-2]["text"], found[-2]["stream"]) == ("the last line", "stderr")
    assert "lost" in "".join(line["text"] for line in found if line["stream"] == "deployd")

    seen = await stand.engine.container(stand.name)
    assert seen is not None
    log = await stand.engine.log_file(seen.id)
    files = list(log.parent.glob(f"{log.name}*"))
    assert len(files) == 3
    assert sum(file.stat().st_size for file in files) < 1_300_000, "however much it prints"

    await stand.engine.wait_until_ended(stand.name, 30)
    before = await stand.printed()
    assert [line["text"] for line in before[-2:]] == ["the last line", "without an end"]
    assert await stand.printed(lines=2) == before[-2:]
    await keep_output(stand.engine, seen, stand.kept, Retention(5_000_000, 7))
    await keep_output(stand.engine, seen, stand.kept, Retention(5_000_000, 7))
    await stand.engine.ensure_container_gone(stand.name, stop_seconds=0)
    stand.cache.generation += 1
    assert await stand.printed() == before
