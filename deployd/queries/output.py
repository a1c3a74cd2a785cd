"""Output: what containers and crons of an environment print."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.output.follower import OutputFollower
from deployd.output.outputs import Outputs
from deployd.output.sources import OF_APPLICATIONS, OutputFilter, Source
from deployd.queries.environments import EnvironmentQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputShape:
    """A line that a container or a cron of an environment printed."""

    time: str
    """ISO 8601 with nanoseconds, UTC: the place of the line too. `after` goes on behind it."""
    project: str
    environment: str
    app: str
    """Empty for a service."""
    kind: str
    """`app`, `web` (the web server in front of it), `worker`, `service` or `cron`."""
    name: str
    """Of the application, worker, service or cron."""
    version: int | None
    """The activity that made the version; null for a service, which outlives them."""
    stream: str
    """`stdout` or `stderr`; `output` of a cron; `deployd` for what deployd itself says."""
    text: str
    """Without commands to a terminal; secrets are masked, and a line of more than 16 KiB is cut with a mark."""


class OutputQueries:
    def __init__(self, outputs: Outputs, environments: EnvironmentQueries) -> None:
        self._outputs = outputs
        self._environments = environments

    async def names(self, project: str, environment: str) -> list[tuple[str, str]]:
        """(`app`, `worker`, `service` or `cron`; name) of all that printed something there, or may.

        Raises:
            NotFound: There is no such environment.
        """
        found = await self._environments.find(project, environment)
        sources = await self._outputs.sources(found.id)
        return sorted({_named(source) for source in sources})

    async def follow(
        self, project: str, environment: str, wanted: OutputFilter, *, start: str, lines: int | None,
    ) -> OutputFollower:
        """What containers of an environment (machine name or branch) printed, and what they print.

        Args:
            start: No line that is older, as a place (`output/outputs.py`); empty: all.
            lines: The last ones only, and those that come.

        Raises:
            NotFound: There is no such environment.
        """
        found = await self._environments.find(project, environment)
        return await self._outputs.follow(found.id, wanted, start=start, lines=lines)


def _named(source: Source) -> tuple[str, str]:
    if source.kind in OF_APPLICATIONS:
        return "app", source.app
    return source.kind, f"{source.app}--{source.name}" if source.kind == "worker" else source.name
