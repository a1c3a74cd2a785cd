"""Certificates: what each host shows over TLS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deployd.certificates.manager import HostCertificate
from deployd.queries.times import iso


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateShape:
    """What a host shows over TLS."""

    host: str
    project: str
    kind: str
    """`own` (the operator's), `acme`, `local`, or `default`: the one that the router signed itself."""
    state: str
    """`valid`, `waits` (it is asked for), `refused`, or `none`."""
    ends: str
    """ISO 8601, UTC; empty when there is none."""
    why: str
    """The authority's own words, or why nobody is asked."""
    again_at: str
    """When it is asked for again: ISO 8601, UTC; empty when it is not."""


class CertificateQueries:
    def __init__(self, known: Callable[[], Sequence[HostCertificate]]) -> None:
        self._known = known

    def all(self) -> list[CertificateShape]:
        """By host."""
        return [
            CertificateShape(
                host=item.host, project=item.project, kind=item.kind, state=item.state, ends=iso(item.ends),
                why=item.why, again_at=iso(item.again_at),
            )
            for item in self._known()
        ]
