"""Names that two applications or services have. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deployd.project.findings.findings import Findings
from deployd.project.findings.spelling import shown
from deployd.project.model.place import Place


def check_names(named: Sequence[tuple[str, Place, str]], findings: Findings) -> None:
    """Applications and services live in one name space.

    Args:
        named: (name, where, "application" or "service")
    """
    first: dict[str, tuple[Place, str]] = {}
    for name, place, noun in named:
        if name in first:
            other_place, other = first[name]
            both = (
                f"two {noun}s are" if noun == other else f"the {other} in {other_place.file} and this {noun} are both"
            )
            findings.error(
                "same-name",
                place,
                f"{both} called `{shown(name)}`",
                "rename one of them",
                length=len(name),
                related=(other_place,),
            )
        else:
            first[name] = (place, noun)
