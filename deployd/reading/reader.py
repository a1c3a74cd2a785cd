"""What a reader does: give everything away, read one commit or one offer, answer, end.

It is a fork of the fork server, so nothing is loaded here. Whoever takes it over, by a hole in the YAML library or in
Python, is a user without files, network, programs and privileges, who holds one socket, and dies within a minute.
"""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import resource
import signal
import socket
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployd.errors import DeployError
from deployd.project.model import Dialect
from deployd.project.reader import read_project
from deployd.project.tree.limits import TreeLimits
from deployd.project.tree.tree import Tree
from deployd.reading.bounds import (
    CPU_SECONDS,
    LARGEST_ANSWER_BYTES,
    MEMORY_BYTES,
    ConfigurationTooLarge,
    overran,
)
from deployd.reading.codec import as_plain
from deployd.reading.plan_body import parse_plan_body
from deployd.reading.trees import CommitTree, OfferedTree
from deployd.reading.wire import ANSWER, ASK, BROKEN, FILE, WANT, Line

LIMITS = {
    resource.RLIMIT_CPU: (CPU_SECONDS, CPU_SECONDS + 1),   # SIGXCPU at the first, which tells; SIGKILL at the second
    resource.RLIMIT_AS: (MEMORY_BYTES, MEMORY_BYTES),
    resource.RLIMIT_NPROC: (0, 0),
    resource.RLIMIT_FSIZE: (0, 0),
    resource.RLIMIT_NOFILE: (8, 8),
    resource.RLIMIT_CORE: (0, 0),
}
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
POLITE = 5
"""Niceness: while a hostile reading takes its seconds, the daemon and the others come first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be read: the listing of a commit, or else the body of an offer."""

    limits: TreeLimits
    dialect: Dialect | None = None
    tolerant: bool = False
    runnable: frozenset[str] | None = None
    there: Mapping[str, tuple[str, ...]] | None = None
    listing: bytes | None = None
    offer: bytes = b""
    lfs: bool = False
    """The contents of Git LFS are fetched for builds."""


def serve(connection: socket.socket, uid: int) -> None:
    """Read what the daemon asks for, as the user `uid` and as nobody else."""
    confine(uid)
    line = Line(connection)
    try:
        line.send(ANSWER, _answer(pickle.loads(line.receive(ASK)), line))
    except DeployError as error:
        line.send(ANSWER, json.dumps({"refused": _told(error)}).encode())
    except MemoryError:
        line.send(ANSWER, json.dumps({"refused": _told(overran("memory"))}).encode())
    except (EOFError, ConnectionError):   # the daemon wants it no more
        pass
    except Exception:   # noqa: BLE001  our own mistake: the daemon makes an incident of it
        line.send(BROKEN, traceback.format_exc().encode())


def confine(uid: int) -> None:
    """Give away what a reader does not need. Order matters: a change of the user clears the wish to die with the
    fork server, and forbids everybody of that user to look into the process."""
    os.nice(POLITE)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    for name, values in LIMITS.items():
        resource.setrlimit(name, values)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _answer(asked: Asked, line: Line) -> bytes:
    def load(names: Sequence[str]) -> list[bytes]:
        if not names:
            return []
        line.send(WANT, "\n".join(names).encode())
        return [line.receive(FILE) for _ in names]

    if asked.listing is not None:
        return _as_json(asked, CommitTree(asked.listing, asked.limits, load), {})
    offer = parse_plan_body(asked.offer)
    asked.limits.refuse(len(offer.paths), 0)
    return _as_json(
        asked, OfferedTree(offer.files, offer.paths), {"branch": offer.branch, "listings": offer.listings},
    )


def _as_json(asked: Asked, tree: Tree, more: Mapping[str, Any]) -> bytes:
    result = read_project(
        tree, dialect=asked.dialect, tolerant=asked.tolerant, runnable=asked.runnable, there=asked.there,
        lfs=asked.lfs,
    )
    answer = json.dumps({"result": as_plain(result), **more}).encode()
    if len(answer) > LARGEST_ANSWER_BYTES:
        raise ConfigurationTooLarge(
            f"the configuration comes to {len(answer):,} bytes, at most {LARGEST_ANSWER_BYTES:,} can be used",
            hint="include less, and use fewer aliases",
        )
    return answer


def _told(error: DeployError) -> dict[str, Any]:
    return {"code": error.code, "what": error.what, "where": error.where, "evidence": error.evidence,
            "hint": error.hint}
