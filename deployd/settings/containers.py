"""What builds and containers may use and reach."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from deployd.public_addresses import Opening, parse_opening
from deployd.settings.frozen import MOST, Frozen

LEAST_CPUS, MOST_CPUS = 0.01, 1000.0   # Docker takes no less


class BuildSettings(Frozen):
    trust_store: Literal["host", "none"] = "host"
    """`host`: the build sees the host's certificates, so that package managers work behind an inspecting proxy."""
    memory_mb: int = Field(2048, ge=128, le=MOST)
    cpus: float = Field(2.0, ge=LEAST_CPUS, le=MOST_CPUS)
    limit_seconds: int = Field(3600, ge=1, le=4000)
    """The step's own limit of 70 minutes bounds it."""
    reuse: bool = True
    """A build takes over what an earlier one made of the same files; false: each one begins with the commit alone."""


def _opening(value: Any) -> Opening:
    if not isinstance(value, str):
        raise ValueError("must be a text, as 10.0.0.5:5432")
    return parse_opening(value)


class ContainerSettings(Frozen):
    """What containers reach beside the Internet and their own environment."""

    firewall: Literal["nftables", "none"] = "nftables"
    """`nftables`: rules of ours keep them from the host and from private networks. `none`: they reach all that the host
    does; only for a host on which everybody who may push is trusted with it."""
    may_reach: tuple[Annotated[Opening, BeforeValidator(_opening)], ...] = ()
    """Addresses of the host and of private networks that are open to every container, and to what is fetched."""


class Size(Frozen):
    memory_mb: int = Field(ge=32, le=MOST)
    cpus: float = Field(ge=LEAST_CPUS, le=MOST_CPUS)


DEFAULT_SIZES = {
    "AUTO": Size(memory_mb=512, cpus=1.0),
    "XS": Size(memory_mb=128, cpus=0.25),
    "S": Size(memory_mb=256, cpus=0.5),
    "M": Size(memory_mb=512, cpus=1.0),
    "L": Size(memory_mb=1024, cpus=2.0),
    "XL": Size(memory_mb=2048, cpus=2.0),
    "2XL": Size(memory_mb=4096, cpus=4.0),
    "4XL": Size(memory_mb=8192, cpus=8.0),
}
