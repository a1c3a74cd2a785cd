"""Output of containers and crons, and which lines of it a reader wants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import stream
from deployd.api.asked import Asked, number_of
from deployd.api.route import ENVIRONMENT, ApiRoute, Resource
from deployd.errors import Unusable
from deployd.output.outputs import place_after, place_of
from deployd.output.sources import OutputFilter
from deployd.queries.output import OutputShape

output = Resource()

DEFAULT_LINES, MOST_LINES = 100, 10_000


@output.row(ApiRoute("GET", f"{ENVIRONMENT}/logs", Action.SEE, "what its containers and crons print", OutputShape,
                     stream=True,
                     query=("app", "worker", "service", "cron", "version", "since", "after", "lines", "follow")))
async def follow_output(asked: Asked) -> web.StreamResponse:
    project, environment = asked.environment()
    start, lines = place_in_output(asked.query)
    found = await asked.queries.output.follow(
        project, environment, wanted_output(asked.query), start=start, lines=lines,
    )
    # Docker is asked for it: a reload ends it, and the reader comes again with the place of its last line.
    return await stream(asked, found, follow=asked.is_set("follow"), lasts=False)


def wanted_output(query: Mapping[str, str]) -> OutputFilter:
    """Whose output a reader wants."""
    names = {name: query.get(name, "") for name in ("app", "worker", "service", "cron")}
    version = query.get("version")
    return OutputFilter(**names, version=None if version is None else number_of(version, "version"))


def place_in_output(query: Mapping[str, str]) -> tuple[str, int | None]:
    """(no line that is older, how many of the last ones).

    Raises:
        Unusable: No time, or no number.
    """
    after, since, lines = query.get("after"), query.get("since"), query.get("lines")
    count = min(number_of(lines, "lines"), MOST_LINES) if lines is not None else None
    if after is not None:
        place = place_after(after)
        if place is None:
            raise Unusable(f"after must be the time of a line, as it stands there, not {after[:40]!r}")
        return place, count
    if since is None:
        return "", DEFAULT_LINES if count is None else count
    try:
        moment = datetime.fromisoformat(since)
        return place_of(moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)), count
    except (ValueError, OverflowError):   # in UTC some date is before the year 1
        raise Unusable(f"since must be a date (ISO 8601), not {since[:40]!r}") from None
