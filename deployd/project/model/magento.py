"""A Magento that deployd builds and deploys by its own recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployd.project.model.json import Json, nothing

MARK = "deployd-magento"
"""The line of a hook in whose place the recipe runs."""


@dataclass(frozen=True, slots=True)
class Magento:
    """What of the files the recipe goes by. Its places are lines of the hooks that are `deployd-magento`."""

    stages: Mapping[str, Mapping[str, Json]] = field(default_factory=nothing)
    """{stage: {variable: value}} of `.magento.env.yaml`: `global`, `build`, `deploy`, `post-deploy`."""
    why: str = ""
    """Why it is the recipe that does it: the end of a sentence."""
