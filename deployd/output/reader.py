"""Lines of one source as JSON, in bulk: what is done for each of them is done by the interpreter's own C. Blocking."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any

from deployd.output.entries import Entry, EntryReader
from deployd.output.files import LONGEST_ENTRY_BYTES, OutputFiles, last_times
from deployd.output.sources import CRON, Source

Clean = Callable[[Sequence[str]], list[str]]
"""Lines as they may be shown: plain text, secrets masked."""
Row = tuple[str, str]
"""(time, a line of JSON)"""
LOST = "lines were lost here: more was printed than is kept until it is read"
LONGEST_RUN_BYTES = 16 * 1024 * 1024
"""Of a record of a cron: 200 lines of 16 KiB, and what JSON adds to them."""
OURS = "deployd"
"""Stands for the stream of what deployd itself has to say."""


class Reader:
    """Reads a source; what it has read is held until its turn among the others has come."""

    def __init__(self, source: Source, whose: str, start: str, clean: Clean) -> None:
        """
        Args:
            whose: Project and environment, as part of a JSON object.
            start: No line that is older.
        """
        self.source = source
        self.held: list[Row] = []
        self.has_more = False
        """The last reading did not come to the end."""
        self._is_cron = source.kind == CRON
        self._files = OutputFiles(source.log, LONGEST_RUN_BYTES if self._is_cron else LONGEST_ENTRY_BYTES)
        self._files.start_at("" if self._is_cron else start)
        self._entries = EntryReader()
        self._silent = 0
        self._whose = whose
        self._about = self._about_of(source.version)
        self._start = start
        self._last = start.rstrip("\0")
        self._clean = clean

    @property
    def newest(self) -> str:
        """Time of the youngest line that was read."""
        return self.held[-1][0] if self.held else self._last

    @property
    def is_at_end(self) -> bool:
        """The last reading found nothing, and no line is open."""
        return self._silent > 0 and not self._entries.is_amid_a_line

    def fill(self, most_bytes: int, patience: int = 0) -> None:
        """Read on.

        Args:
            patience: Readings that find nothing, until a line that has not ended is held as it is.
        """
        chunk = self._files.read(most_bytes)
        self.has_more = self._files.has_more
        if self._files.lost:
            self._files.lost = False
            self.held.append(_row(self.newest, self._about, OURS, LOST))
        self._silent = 0 if chunk else self._silent + 1
        if chunk and self._is_cron:
            self._hold_runs(chunk)
        elif chunk:
            self._hold(self._entries.feed(chunk))
        elif self._entries.is_amid_a_line and self._silent > patience:
            self._hold(self._entries.end())

    def take(self, horizon: str | None) -> list[Row]:
        """What is held, up to a time; None: all of it."""
        rows, self.held = self.held, []
        self._last = rows[-1][0] if rows else self._last
        if horizon is None or not rows or rows[-1][0] <= horizon:
            return rows
        self.held = [row for row in rows if row[0] > horizon]
        return [row for row in rows if row[0] <= horizon]

    def close(self) -> None:
        self._files.close()

    def _hold(self, entries: list[Entry]) -> None:
        start, about = self._start, self._about
        wanted = [entry for entry in entries if entry[0] >= start]
        texts = self._clean([text for _, _, text in wanted])
        self.held += [
            (time, f'{{"time": "{time}Z", {about}, "stream": "{stream}", "text": {encode_basestring_ascii(text)}}}\n')
            for (time, stream, _), text in zip(wanted, texts, strict=True)
        ]

    def _hold_runs(self, chunk: bytes) -> None:
        """Runs of a cron, whose output was cleaned when it was written down."""
        for run in runs_of(chunk):
            time = time_of(run["ended"])
            if time >= self._start:
                about = self._about_of(run["version"])
                self.held += [_row(time, about, "output", text) for text in run["output"]]
                self.held.append(_row(time, about, OURS, _how_it_ended(run)))

    def _about_of(self, version: int | None) -> str:
        source = self.source
        about = {"app": source.app, "kind": source.kind, "name": source.name, "version": version}
        return f"{self._whose}, {json.dumps(about)[1:-1]}"


def last_times_of(source: Source, count: int) -> list[str]:
    """When the last lines of a source were written; of a cron, when its last runs ended."""
    if source.kind != CRON:
        return last_times(source.log, count)
    files = OutputFiles(source.log, LONGEST_RUN_BYTES)
    files.start_at("")
    times: list[str] = []
    try:
        while chunk := files.read(1_000_000):
            times += [time_of(run["ended"]) for run in runs_of(chunk) for _ in (*run["output"], "")]
    finally:
        files.close()
    return times[-count:]


def runs_of(chunk: bytes) -> Iterator[dict[str, Any]]:
    """Records of a cron's file; torn ones are left out."""
    for line in chunk.splitlines():
        try:
            run = json.loads(line)
            if isinstance(run["ended"], str) and isinstance(run["output"], list):
                yield {"version": None, "state": "", "status": None, "seconds": 0, **run}
        except (ValueError, KeyError, TypeError):
            continue


def time_of(moment: str) -> str:
    """A date of ours (ISO 8601, UTC) as Docker writes it, without its Z."""
    return moment.partition("+")[0].removesuffix("Z")


def _how_it_ended(run: dict[str, Any]) -> str:
    status = "" if run["status"] is None else f" with exit status {run['status']}"
    said = f": {run['said']}" if run.get("said") else ""
    return f"run {run['state']}{status} after {run['seconds']} s{said}"


def _row(time: str, about: str, stream: str, text: str) -> Row:
    return time, f'{{"time": "{time}Z", {about}, "stream": "{stream}", "text": {encode_basestring_ascii(text)}}}\n'
