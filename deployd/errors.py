"""The errors that deployd expects and tells.

A `DeployError` says what could not be done, where, what was seen, and how to mend it; whoever meets one shows
exactly that. Anything else that is raised is a bug, and is told as one. A class of its own exists only when
somebody catches it or when its code stands in the documentation.
"""

from __future__ import annotations

from typing import ClassVar


class DeployError(Exception):
    """Something that can go wrong in a deployment, told in the words of the person who has to mend it."""

    code: ClassVar[str] = "deploy-error"
    again_in_seconds: ClassVar[float | None] = None
    """Worth another try after so long, because it can go away by itself. None: it would end the same."""

    def __init__(self, what: str, *, where: str = "", evidence: tuple[str, ...] = (), hint: str = "") -> None:
        """
        Args:
            what: What could not be done and why, one sentence without a full stop.
            where: `file:line` or the name of the part, if there is one.
            evidence: Last lines of output of the program that failed, oldest first.
            hint: What the reader can do about it.
        """
        super().__init__(what)
        self.what = what
        self.where = where
        self.evidence = evidence
        self.hint = hint

    def lines(self) -> list[str]:
        """The error as a person reads it, one line each."""
        head = f"{self.what}   {self.where}" if self.where else self.what
        return [head, *(f"| {line}" for line in self.evidence), *([f"hint: {self.hint}"] if self.hint else [])]


class Unusable(DeployError):
    """What somebody sent is not what was asked for."""

    code: ClassVar[str] = "unusable"


class Transient(Exception):
    """Raised in place of an error that is worth another try here; the machine counts, waits and gives up.

    For errors whose kind does not tell; see `DeployError.again_in_seconds`.
    """

    def __init__(self, error: DeployError, again_in_seconds: float) -> None:
        super().__init__(error.what)
        self.error = error
        self.again_in_seconds = again_in_seconds
