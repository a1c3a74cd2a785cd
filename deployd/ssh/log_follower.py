"""The log of an activity, followed over restarts of the daemon from the line where it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from deployd.ssh.link import LinkLost
from deployd.ssh.ports import Daemon, Who

Say = Callable[[Sequence[str]], Awaitable[None]]
BACK_SECONDS = 600.0
"""How long a daemon may be gone until whoever follows is told that it has been given up."""
LONGEST_LINE_BYTES = 4_000_000
PAUSE_SECONDS = 0.1
"""The link notices an end a moment after its sockets."""
RESTARTS = "deployd is being restarted; this log goes on when it is back"
GIVEN_UP = "deployd has not come back; the deployment goes on when it does: `deployd log -f` shows it"


async def follow(daemon: Daemon, who: Who, project: str, activity: int, say: Say) -> None:
    """Show a log to its end.

    Raises:
        Refused: The key may not see it any more.
    """
    after, was_told = 0, False
    while True:
        try:
            ended, after = await _follow_on(daemon, who, project, activity, after, say)
        except LinkLost:
            ended = False
        if ended:
            return
        await asyncio.sleep(PAUSE_SECONDS)
        if await daemon.until_there(0):   # it is about to stop, or we were too slow for it
            continue
        if not was_told:
            await say([RESTARTS])
        was_told = True
        if not await daemon.until_there(BACK_SECONDS):
            await say([GIVEN_UP])
            return


async def _follow_on(
    daemon: Daemon, who: Who, project: str, activity: int, after: int, say: Say,
) -> tuple[bool, int]:
    """(whether it has ended, number of the last line that was shown)"""
    talk = await daemon.ask("follow", **who.values(), project=project, activity=activity, after=after)
    try:
        reader, writer = await asyncio.open_unix_connection(sock=talk.sockets[0], limit=LONGEST_LINE_BYTES)
        try:
            while line := await reader.readline():
                said = json.loads(line)
                if said.get("end"):
                    return True, after
                await say([str(text) for text in said["lines"]])
                after = int(said["after"])
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    except (OSError, ValueError):   # cut in the middle of a line
        pass
    finally:
        talk.leave()
    return False, after


