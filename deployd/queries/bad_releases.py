"""Releases that were found bad after their switch, as people and programs are told of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.state.bad_releases import BadRelease


@dataclass(frozen=True, slots=True, kw_only=True)
class BadReleaseShape:
    activity: int
    """That made it live."""
    why: str
    found: str
    """When: ISO 8601, UTC."""
    live: bool
    """It still is."""
    back: int | None
    """The rollback that was asked for; null: the version before does not come back by itself."""
    back_to: int | None
    """The activity whose version that brings."""
    said: str
    """All of it in a sentence."""


def bad_release_shape(bad: BadRelease) -> BadReleaseShape:
    return BadReleaseShape(
        activity=bad.activity, why=bad.why, found=bad.at.isoformat(), live=bad.is_live, back=bad.back,
        back_to=bad.back_to, said=bad.said,
    )
