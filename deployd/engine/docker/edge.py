"""The edge to Docker: every call has a limit, and every failure becomes an error of ours here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import aiodocker
import aiohttp

from deployd.engine.errors import (
    EngineOverran,
    EngineRefused,
    EngineUnreachable,
    MountsUnreadable,
    NameTaken,
    NoSuchImage,
    NotRunning,
    NotThere,
    PortTaken,
    StandsStill,
    StillInUse,
    SubnetTaken,
)
from deployd.errors import DeployError

LIMIT_SECONDS = 60.0   # Docker answers in milliseconds; on a busy disk it may take seconds, a minute is a fault
UNREACHABLE = 900      # aiodocker's own number for "nobody answers"
LOOK_AT_DOCKER = (
    "look at `systemctl status docker` and at `docker_socket` in the settings; "
    "deployd goes on when Docker is there again"
)
T = TypeVar("T")

BY_WORDS: tuple[tuple[str, type[DeployError]], ...] = (
    ("no such image", NoSuchImage),
    ("port is already allocated", PortTaken),
    ("address already in use", PortTaken),
    ("pool overlaps", SubnetTaken),
    ("has active endpoints", StillInUse),
    ("volume is in use", StillInUse),
    ("is already in use by container", NameTaken),
    ("is not running", NotRunning),
    ("is paused, unpause", StandsStill),
    ("token too long", MountsUnreadable),
)
"""What Docker writes in its messages; its statuses alone do not tell these apart."""


async def ask(what: str, answer: Awaitable[T], limit_seconds: float = LIMIT_SECONDS) -> T:
    """Wait for Docker's answer.

    Args:
        what: What is asked for, as it goes on after "cannot".

    Raises:
        EngineUnreachable: Nobody answered.
        EngineOverran: No answer within the limit.
        DeployError: Docker refused; see `translated`.
    """
    try:
        async with asyncio.timeout(limit_seconds):
            return await answer
    except TimeoutError:
        raise EngineOverran(
            f"cannot {what}: Docker did not answer within {limit_seconds:g} s", hint=LOOK_AT_DOCKER,
        ) from None
    except aiodocker.DockerError as error:
        raise translated(what, error.status, error.message) from None
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
        raise translated(what, UNREACHABLE, str(error) or type(error).__name__) from None


def translated(what: str, status: int, message: str) -> DeployError:
    """Docker's refusal as an error of ours."""
    if status == UNREACHABLE:
        return EngineUnreachable(
            f"cannot {what}: Docker does not answer ({message.replace(' ssl:default', '')})", hint=LOOK_AT_DOCKER,
        )
    text = f"cannot {what}: {message.strip()}"
    for words, kind in BY_WORDS:
        if words in message.lower():
            return kind(text)
    return NotThere(text) if status == 404 else EngineRefused(text)
