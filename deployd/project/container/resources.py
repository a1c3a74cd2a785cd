"""`size`, `disk`, `resources` and what else a container may use (configuration format 4.5). Pure."""

from __future__ import annotations

from deployd.project.fields.fields import Field
from deployd.project.fields.keys import Key, Table
from deployd.project.model.container import Resources

SIZES = ("AUTO", "XS", "S", "M", "L", "XL", "2XL", "4XL")
PROFILES = ("HIGH_CPU", "BALANCED", "HIGH_MEMORY", "HIGHER_MEMORY")
SIZE = "write `size: L`, or ask the operator for larger `sizes`"
DISK = "Docker's volumes have no quota and share the disk of the host"
DISK_MEND = "nothing to change here: leave room on the host"
ACCESS = "who may do what is said by deployd's tokens and keys"
ACCESS_MEND = "remove it, or keep it for another host"
FILTER = "filter on the host, if it matters"
RESOURCES = Table(
    "resources",
    (
        Key("base_memory", "integer, MB", treatment="noted"),
        Key("memory_ratio", "integer, MB", treatment="noted"),
    ),
    noun="`resources`",
)


def read_resources(field: Field | None) -> Resources | None:
    fields = field.fields(RESOURCES) if field else None
    if fields is None:
        return None
    return Resources(
        fields.integer("base_memory", 1, 1_000_000, "MB"), fields.integer("memory_ratio", 1, 1_000_000, "MB")
    )
