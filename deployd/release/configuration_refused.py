"""The protective block: a configuration that must not be deployed, with everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from deployd.errors import DeployError


class ConfigurationRefused(DeployError):
    """The project files of a commit cannot be deployed."""

    code: ClassVar[str] = "configuration-refused"

    def __init__(
        self, lines: Sequence[str], count: int,
        hint: str = "correct the lines named above; `deployd check` says the same before a push",
    ) -> None:
        """
        Args:
            lines: All findings as people read them.
        """
        super().__init__(
            f"the configuration has {count} error{'s' if count != 1 else ''}",
            evidence=tuple(lines),
            hint=hint,
        )

    @classmethod
    def because(cls, errors: Sequence[DeployError]) -> ConfigurationRefused:
        """What only the host can know, so that `deployd check` does not say it."""
        lines = [line for error in errors for line in error.lines()]
        return cls(lines, len(errors), "correct the lines named above, or ask the operator of this host")
