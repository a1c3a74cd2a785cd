"""What all settings have in common: they never change, unknown keys are errors, and numbers are numbers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

NUMBERS = (int, float, int | None, float | None)
MOST = 1_000_000
"""Of what is counted; and of megabytes that Docker, nginx and the kernel get as bytes in 64 bits."""
MOST_DAYS = 36_500.0
"""A hundred years; dates go no farther than the year 9999."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and info.field_name and cls.model_fields[info.field_name].annotation in NUMBERS:
            raise ValueError("yes, no, on, off, true and false are no numbers; write how many")
        return value
