"""What figures need of Docker."""

from __future__ import annotations

from typing import Protocol

from deployd.engine.observed import ContainerSeen


class Engine(Protocol):
    async def container(self, name: str) -> ContainerSeen | None: ...
