"""What can go wrong with slugs."""

from __future__ import annotations

from typing import ClassVar

from deployd.errors import DeployError


class DiskFull(DeployError):
    """There is too little room to pack a slug; what runs is not touched."""

    code: ClassVar[str] = "disk-full"


class SlugMissing(DeployError):
    """A slug is not in storage."""

    code: ClassVar[str] = "slug-missing"


class SlugDamaged(DeployError):
    """A slug's file is not what was written; it is taken away and will be built again."""

    code: ClassVar[str] = "slug-damaged"


class SlugNotMounted(DeployError):
    """The host cannot mount, or not unmount, a slug."""

    code: ClassVar[str] = "slug-not-mounted"


class MountPointBlocked(DeployError):
    """A mount cannot have its folder in the built tree."""

    code: ClassVar[str] = "mount-point-blocked"
