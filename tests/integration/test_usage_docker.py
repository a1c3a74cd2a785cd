"""Figures and kills of a real container, out of the kernel's own files."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

from deployd.clock import SystemClock
from deployd.engine.container_cache import ContainerCache
from deployd.engine.docker.engine import Engine
from deployd.engine.names import Names
from deployd.engine.specs import ContainerSpec
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.upkeep.usage.usage import Usage

IMAGE = "deployd/base:trixie"
MEMORY = 64 * 1024 * 1024
PROGRAM = "sleep 0.5; tail /dev/zero; echo ended with $?; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 100"
"""A child that takes all the memory there is, and a first process that goes on."""


async def test_a_child_that_the_kernel_killed_is_told_and_figures_are_the_kernels(tmp_path: Path) -> None:
    names = Names(f"test-{uuid.uuid4().hex[:6]}", EnvironmentId(ProjectId("shop"), EnvironmentName("main")))
    name = names.container(ActivityId(1), "worker", "shop--indexer")
    async with Engine() as engine:
        cache = ContainerCache(engine, names.instance)
        disks = SimpleNamespace(known={})
        usage = Usage(
            engine, cache, disks, SystemClock(), tmp_path / "kills.json",  # type: ignore[arg-type]
        )
        await usage.look()
        try:
            await engine.ensure_container(ContainerSpec(
                name, IMAGE, names.labels("worker", "shop--indexer", ActivityId(1)), command=("sh", "-c", PROGRAM),
                entrypoint=(), memory_bytes=MEMORY,
            ))
            cache.generation += 1
            until = time.monotonic() + 60
            while "ended with 137" not in await engine.last_lines(name):
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
            await usage.look()
            seen = await engine.container(name)
            assert seen is not None
            assert seen.running
            assert not seen.restarts, "nobody else would have noticed"
            (told,) = usage.troubles()
            assert "shop/main: the kernel killed a process of the worker shop--indexer at " in told
            assert "its memory of 64 MB was full" in told
            (use,) = await usage.uses()
            assert (use.containers, use.kills, use.memory_limit_bytes) == (1, 1, MEMORY)
            assert 0 < use.memory_bytes < MEMORY
            assert use.cpu_seconds > 0
        finally:
            await engine.ensure_container_gone(name, stop_seconds=0)
