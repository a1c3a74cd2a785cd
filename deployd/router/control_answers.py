"""The JSON of the control socket's answers, made into values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployd.router.table import EnvironmentTraffic, Freeze, Released, RouterStatus, Sleepers


def parse_released(answer: Mapping[str, Any]) -> Released:
    """What a freeze did; zeros when there was none."""
    return _released(answer.get("released") or {})


def parse_freeze(answer: Mapping[str, Any]) -> Freeze:
    return Freeze(seconds_left=float(answer.get("seconds_left", 0)), again=bool(answer.get("again")))


def parse_version(answer: Mapping[str, Any]) -> str | None:
    """The version that is live, or None."""
    return answer.get("version") or None


def is_outdated(answer: Mapping[str, Any]) -> bool:
    """From the answer to a put: another version had taken the place of the one that was to be replaced."""
    return bool(answer.get("outdated"))


def parse_closed(answer: Mapping[str, Any]) -> bool:
    """From the answer to a look."""
    return bool(answer.get("frozen") or answer.get("maintenance"))


def parse_sleepers(answer: Mapping[str, Any]) -> Sleepers:
    return Sleepers(int(answer.get("number", 0)), tuple(sorted(map(str, answer.get("environments") or ()))))


def parse_status(answer: Mapping[str, Any]) -> RouterStatus:
    totals = answer["totals"]
    return RouterStatus(
        generation=int(answer["generation"]), started=int(answer["started"]), complete=bool(answer["complete"]),
        free_bytes=int(answer["free_bytes"]), configuration=str(answer.get("configuration", "")),
        environments={name: _traffic(item) for name, item in sorted(answer["environments"].items())},
        held_now=int(totals["held_now"]), longest_seconds=round(float(totals["longest_seconds"]), 3),
        released=int(totals["released"]), expired=int(totals["expired"]),
        left=int(totals["left"]), refused=int(totals["refused"]),
    )


def _released(figures: Mapping[str, Any]) -> Released:
    return Released(
        held=int(figures.get("held", 0)), longest_seconds=round(float(figures.get("longest_seconds", 0)), 3),
        expired=int(figures.get("expired", 0)), left=int(figures.get("left", 0)),
        refused=int(figures.get("refused", 0)),
    )


def _traffic(item: Mapping[str, Any]) -> EnvironmentTraffic:
    return EnvironmentTraffic(
        version=item["version"], frozen=bool(item["frozen"]), seconds_left=float(item["seconds_left"]),
        maintenance=bool(item["maintenance"]), held_now=int(item["held_now"]), freeze=_released(item),
        origin=item.get("origin") or "", asleep=bool(item.get("asleep")),
    )
