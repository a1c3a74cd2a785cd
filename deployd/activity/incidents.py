"""What went wrong, as people are told it: an expected error as it is, anything else as a bug of deployd with a name."""

from __future__ import annotations

import secrets
from typing import ClassVar

import structlog

from deployd.errors import DeployError, Transient
from deployd.ids import ActivityId

log = structlog.get_logger()


class Incident(DeployError):
    """A bug of deployd; the operator's log has its traceback under the same name."""

    code: ClassVar[str] = "incident"


def unwrap(error: Exception) -> Exception:
    """The error that counts out of a group: a bug first, then what cannot be tried again."""
    if not isinstance(error, ExceptionGroup):
        return error
    leaves = [unwrap(leaf) for leaf in error.exceptions]
    return min(leaves, key=lambda leaf: 2 if as_transient(leaf) else 1 if isinstance(leaf, DeployError) else 0)


def as_transient(error: BaseException) -> Transient | None:
    """An error that is worth another try, with its pause; None for all others."""
    if isinstance(error, Transient):
        return error
    if isinstance(error, DeployError) and error.again_in_seconds is not None:
        return Transient(error, error.again_in_seconds)
    return None


def explain(error: BaseException, activity: ActivityId, doing: str) -> DeployError:
    """Any exception as something that people can be told; a bug goes to the operator's log with its traceback.

    Args:
        doing: What was done when it came, in words.
    """
    if isinstance(error, DeployError):
        return error
    if isinstance(error, Transient):
        return error.error
    name = secrets.token_hex(2).upper()
    log.error("incident", incident=name, activity=activity, doing=doing, exc_info=error)
    return Incident(
        f"an error of deployd itself (incident {name}) in {doing}",
        hint="it is not your fault; tell the operator the incident's name, the log of the daemon has the rest",
    )
