"""Which requests of an access log are of the version before, which of the new one, and which of neither."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from deployd.release.checks import request_log
from deployd.release.checks.request_log import RequestLog, parse_requests

SWITCHED = datetime(2026, 5, 4, 10, 0, tzinfo=UTC).timestamp()
FROZEN = SWITCHED - 20


def line(ended: float, seconds: float = 0.1, status: int = 200, client: str = "192.0.2.1", path: str = "/") -> bytes:
    at = datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds")
    text = json.dumps({"at": at, "client": client, "path": path, "status": status, "seconds": seconds}) + "\n"
    return text.replace('"status": 0,', '"status":000,').encode()


def test_held_and_drained_requests_are_of_neither_version(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"".join([
        line(SWITCHED - 2_000),                        # too long ago
        line(SWITCHED - 60), line(SWITCHED - 30, status=500),
        line(SWITCHED - 10, status=503),               # the maintenance page
        line(SWITCHED + 1, seconds=15),                # held
        line(SWITCHED + 20, seconds=25),               # of the earlier version, still
        line(SWITCHED + 5, status=500), line(SWITCHED + 6), line(SWITCHED + 7, status=0),
    ]))
    seen = RequestLog(log, FROZEN, SWITCHED)
    seen.look()
    assert (seen.before.counts.requests, seen.before.counts.errors) == (2, 1)
    assert (seen.after.counts.requests, seen.after.counts.errors) == (2, 1)


def test_a_log_that_grows_and_is_turned_is_read_once_and_whole(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(line(SWITCHED - 60))
    seen = RequestLog(log, FROZEN, SWITCHED)
    seen.late_from = SWITCHED + 10
    seen.look()
    with log.open("ab") as file:
        file.write(line(SWITCHED + 5) + line(SWITCHED + 6)[:20])
    seen.look()
    assert seen.after.counts.requests == 1, "half a line is none yet"
    with log.open("ab") as file:
        file.write(line(SWITCHED + 6)[20:])
    log.rename(tmp_path / "access.log.1")
    log.write_bytes(line(SWITCHED + 20))
    seen.look()
    seen.look()
    assert (seen.before.counts.requests, seen.after.counts.requests, seen.late.counts.requests) == (1, 3, 1)


def test_a_log_that_was_turned_before_the_first_look_has_its_past(tmp_path: Path) -> None:
    (tmp_path / "access.log.1").write_bytes(line(SWITCHED - 60) * 3)
    (tmp_path / "access.log").write_bytes(line(SWITCHED + 5))
    seen = RequestLog(tmp_path / "access.log", FROZEN, SWITCHED)
    seen.look()
    assert (seen.before.counts.requests, seen.after.counts.requests) == (3, 1)


def test_of_a_long_past_only_its_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    many = 2 * request_log.PAST_BYTES // len(line(SWITCHED - 60))
    log.write_bytes(line(SWITCHED - 60) * many)
    seen = RequestLog(log, FROZEN, SWITCHED)
    seen.look()
    assert many * 0.4 < seen.before.counts.requests < many * 0.6


def test_without_a_log_nothing_is_known_and_nothing_fails(tmp_path: Path) -> None:
    seen = RequestLog(tmp_path / "access.log", FROZEN, SWITCHED)
    seen.look()
    assert seen.after.counts.requests == 0
    (tmp_path / "access.log").write_bytes(line(SWITCHED + 5))
    seen.look()
    assert seen.after.counts.requests == 1, "it came later"


def test_what_strangers_wrote_into_a_line_harms_nobody() -> None:
    good = line(SWITCHED + 5, path='"status":500,"seconds":9\\\n\x1b[31m')
    odd = [b"{", b"[]", b'"at"', b'{"at":"x","seconds":1,"status":200,"client":""}', b"\xff" * 10,
           b'{"at":"2026-05-04T10:00:00+00:00","seconds":1e999,"status":200,"client":"c"}',
           b'{"at":null,"seconds":{},"status":[],"client":1}', b"[" * 100_000]
    [request, *_] = parse_requests([good, *odd])
    assert (request.status, request.seconds) == (200, 0.1)
