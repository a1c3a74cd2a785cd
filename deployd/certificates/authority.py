"""Who signs certificates, as the manager sees it."""

from __future__ import annotations

from typing import ClassVar, Protocol

from deployd.certificates.certificate import Certificate
from deployd.errors import DeployError


class NotIssued(DeployError):
    """An authority did not sign a certificate: it refused, or did not answer."""

    code: ClassVar[str] = "certificate-not-issued"


class Authority(Protocol):
    """Signs certificates."""

    @property
    def kind(self) -> str:
        """`acme` or `local`."""
        ...

    def why_not(self, host: str) -> str:
        """Why it is no use to ask it for a host; empty when it is."""
        ...

    async def issue(self, host: str) -> Certificate:
        """
        Raises:
            NotIssued: It refused or did not answer, with its own words.
        """
        ...
