"""`size`, `disk`, `resources` and what else a container may use (configuration format 4.5). Pure."""

from __future__ import annotations

from deployd.project.fields.fields import Field
from deployd.project.fields.keys import Key, Table
from deployd.project.model.container import Resources

SIZES = ("AUTO", "XS", "S", "M", "L", "XL", "2XL", "4XL")
PROFILES = ("HIGH_CPU", "BALANCED", "HIGH_MEMORY", "HIGHER_MEMORY")
MOST_DISK_MB = 100_000_000

_LARGER = "write `size: L`, or ask the operator for larger `sizes`"
SIZE_KEY = Key(
    "size",
    "`AUTO`, `XS`, `S`, `M`, `L`, `XL`, `2XL` or `4XL`",
    "memory and CPUs as the operator's `sizes` say; with `AUTO` what its kind needs, if that is more",
    "`AUTO`",
)
RESOURCES_KEY = Key("resources", "mapping", "memory and CPUs come from `size`", treatment="warned", hint=_LARGER)
PROFILE_KEY = Key("container_profile", "string", "memory and CPUs come from `size`", treatment="warned", hint=_LARGER)
DISK = "Docker's volumes have no quota and share the disk of the host"
DISK_HINT = "nothing to change here: leave room on the host"
ACCESS = "who may do what is said by deployd's tokens and keys"
ACCESS_HINT = "remove it, or keep it for another host"
RESOURCES = Table(
    "resources",
    (
        Key("base_memory", "integer, MB", treatment="noted"),
        Key("memory_ratio", "integer, MB", treatment="noted"),
    ),
    noun="`resources`",
)


def read_size(field: Field | None) -> str:
    return (field.one_of(SIZES) if field else None) or "AUTO"


def read_profile(field: Field | None) -> str | None:
    return field.one_of(PROFILES) if field else None


def read_resources(field: Field | None) -> Resources | None:
    fields = field.fields(RESOURCES) if field else None
    if fields is None:
        return None
    return Resources(
        fields.integer("base_memory", 1, 1_000_000, "MB"), fields.integer("memory_ratio", 1, 1_000_000, "MB")
    )
