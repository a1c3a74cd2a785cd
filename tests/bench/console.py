"""The console: the overview of a thousand environments, ten deployments that five hundred follow, and a long log.

What is compared is the same deployments in the same run, with those who look on and without them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from tests.bench import console_followers as followers
from tests.bench import console_log as long_log
from tests.bench import console_overview as overview
from tests.bench.console_followers import Round
from tests.bench.console_log import LongLog
from tests.bench.console_overview import Overview
from tests.support.outcome import Number, Outcome, median

STALLED_KB = 256.0
"""What the bounds of a connection and of a piece of a log add up to."""


async def measure(say: Callable[[str], None]) -> Outcome:
    alone, followed = await followers.follow(say)
    log = await long_log.open_long_log(say)
    seen = await overview.look_at_overview(say)
    ratio = round(_seconds(followed) / _seconds(alone), 3)
    figures = {**_of_followers(followed), **_of_log(log), **_of_overview(seen)}
    wanted = _targets(figures, ratio)
    peer = {"deployment_seconds": _seconds(alone), "daemon_cores": median([one.cores for one in alone]),
            "daemon_mb": round(max(one.memory_mb for one in alone), 1)}
    return Outcome(
        "console", figures, peer, ratio, "; ".join(wanted), all(wanted.values()),
        (*(f"{name}: {'met' if is_met else 'NOT MET'}" for name, is_met in wanted.items()),
         f"peer: the same {followers.DEPLOYMENTS} deployments at once, in turn with these, and nobody looks;"
         f" each has a hook of {followers.HOOK_SECONDS} s, which prints",
         f"{followers.FOLLOWERS} connections of browsers follow, {followers.STALLED} more read nothing,"
         f" {followers.POLLS_A_SECOND} polls of /status a second; all of it takes this machine's time",
         f"of {followers.ROUNDS} rounds the worst for lines and memory, the median for seconds",
         "the containers of the thousand environments are made up, as in `idle`"),
    )


def _of_followers(rounds: Sequence[Round]) -> dict[str, Number]:
    def worst(name: str) -> float:
        return max(float(one.found[name]) for one in rounds)

    return {
        "line_p50_seconds": worst("line_p50"), "line_p99_seconds": worst("line_p99"),
        "line_slowest_seconds": worst("line_slowest"), "lines_followed": sum(one.found["lines"] for one in rounds),
        "gaps": sum(one.found["gaps"] for one in rounds),
        "cut_off": sum(one.found["followers"] - one.found["ended"] for one in rounds),
        "polls_a_second": min(one.found["polls_a_second"] for one in rounds),
        "status_p50_seconds": worst("status_p50"), "status_p99_seconds": worst("status_p99"),
        "deployment_seconds": _seconds(rounds), "daemon_cores": median([one.cores for one in rounds]),
        "daemon_mb": round(max(one.memory_mb for one in rounds), 1),
    }


def _of_log(log: LongLog) -> dict[str, Number]:
    return {
        "log_lines": log.lines, "log_first_byte_seconds": median(log.first_byte_seconds),
        "log_page_seconds": median(log.page_seconds), "log_page_bytes": log.page_bytes,
        "log_chromium_seconds": median(log.chromium_seconds),
        "log_chromium_slowest_seconds": round(max(log.chromium_seconds), 3),
        "log_middle_seconds": median(log.middle_seconds), "log_rare_word_seconds": median(log.rare_seconds),
        "log_common_word_seconds": median(log.common_seconds), "log_daemon_mb": round(log.memory_mb, 1),
        "stalled_kb_each": log.stalled_kb, "stalled_left": log.stalled_left,
    }


def _of_overview(seen: Overview) -> dict[str, Number]:
    return {
        "overview_first_byte_seconds": median(seen.first_byte_seconds),
        "overview_first_byte_slowest_seconds": round(max(seen.first_byte_seconds), 3),
        "overview_page_seconds": median(seen.page_seconds), "overview_page_bytes": seen.page_bytes,
        "overview_text_bytes": seen.text_bytes, "update_bytes": max(seen.update_bytes),
        "update_seconds": median(seen.update_seconds),
    }


def _targets(found: Mapping[str, Number], ratio: float) -> dict[str, bool]:
    """{what is wanted: whether it is so}"""
    return {
        f"overview within {overview.FIRST_BYTE_SECONDS:g} s, {overview.PAGE_BYTES:,} bytes and"
        f" {overview.UPDATE_BYTES:,} for a change":
            found["overview_first_byte_seconds"] <= overview.FIRST_BYTE_SECONDS
            and found["overview_page_bytes"] < overview.PAGE_BYTES and found["update_bytes"] < overview.UPDATE_BYTES,
        f"a line within {followers.LINE_SECONDS:g} s (p99), none missing":
            found["line_p99_seconds"] <= followers.LINE_SECONDS and not found["gaps"] and not found["cut_off"],
        f"the daemon below {followers.MEMORY_MB:g} MB":
            max(found["daemon_mb"], found["log_daemon_mb"]) < followers.MEMORY_MB,
        f"deployments at most {followers.SLOWER:g} times as long": ratio <= followers.SLOWER,
        f"who reads nothing costs less than {STALLED_KB:g} KB, and is cut off":
            found["stalled_kb_each"] < STALLED_KB and not found["stalled_left"],
        f"a long log opens within {long_log.OPEN_SECONDS:g} s and is searched in {long_log.SEARCH_SECONDS:g} s":
            max(found["log_page_seconds"], found["log_chromium_seconds"]) <= long_log.OPEN_SECONDS
            and max(found["log_rare_word_seconds"], found["log_common_word_seconds"]) <= long_log.SEARCH_SECONDS,
    }


def _seconds(rounds: Sequence[Round]) -> float:
    """That a deployment takes."""
    return round(statistics.median(second for one in rounds for second in one.seconds), 3)
