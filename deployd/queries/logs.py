"""Logs of activities: a piece, where something stands, the whole, or line by line as they grow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from deployd.activity.follower import Follower
from deployd.activity.line import Line
from deployd.activity.log import Logs
from deployd.activity.log_pages import LogPage, find_lines, plain_pieces, read_page
from deployd.ids import ActivityId


class LogQueries:
    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    async def page(self, number: int, most: int, start: int | None = None) -> LogPage:
        """So many lines from one on; without one, the last."""
        return await asyncio.to_thread(read_page, self._logs.path(ActivityId(number)), most, start=start)

    async def find(self, number: int, text: str, most: int) -> tuple[list[Line], int]:
        """(the last lines in which a text stands, how many there are in all)"""
        return await asyncio.to_thread(find_lines, self._logs.path(ActivityId(number)), text, most)

    async def plain(self, number: int) -> AsyncGenerator[bytes]:
        """The whole as text, as fast as somebody takes it."""
        pieces = plain_pieces(self._logs.path(ActivityId(number)))
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece

    def follow(self, number: int, after: int) -> Follower:
        """Its lines behind the one of this number, and those that come."""
        return self._logs.follow(ActivityId(number), after)
