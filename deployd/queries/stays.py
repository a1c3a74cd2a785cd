"""Who is in environments over SSH now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployd.state import stays
from deployd.state.stays import Stay
from deployd.state.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class StayShape:
    """Somebody who is in an environment."""

    project: str
    environment: str
    part: str
    """Application or worker (`shop--queue`)."""
    activity: int
    """Whose version's containers they are."""
    kind: str
    """`shell`, `command`, `sftp`, `sql` or `tunnel`."""
    who: str
    key: str
    """The label of the key that they came with."""
    address: str
    said: str
    """The command, or where the tunnel leads."""
    since: str
    """ISO 8601, UTC."""


class StayQueries:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self, projects: Sequence[str] | None = None) -> list[StayShape]:
        """Oldest first; a command that is over at once never shows.

        Args:
            projects: Only of these; None: of all.
        """
        found = await self._store.read(stays.list_all)
        return [_shape(stay) for stay in found if projects is None or stay.environment.project in projects]


def _shape(stay: Stay) -> StayShape:
    return StayShape(
        project=stay.environment.project, environment=stay.environment.name, part=stay.part, activity=stay.activity,
        kind=stay.kind, who=stay.who, key=stay.by, address=stay.address, said=stay.said, since=stay.began.isoformat(),
    )
