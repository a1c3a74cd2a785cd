"""What somebody is told who may not do something, or whom nobody knows."""

from typing import ClassVar

from deployd.errors import DeployError


class NotFound(DeployError):
    """There is no such thing, or the caller may not know of it."""

    code: ClassVar[str] = "not-found"


class Forbidden(DeployError):
    """The caller's role does not do this."""

    code: ClassVar[str] = "forbidden"


class Unauthorized(DeployError):
    """No token, or an unknown one."""

    code: ClassVar[str] = "unauthorized"
