"""A process of ours that speaks with strangers gives up root before it begins."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS = 8, 38
CAPABILITIES_3 = 0x20080522
"""<linux/capability.h>: the version of the call."""
NET_BIND_SERVICE = 1 << 10


def become(uid: int, folder: Path, *, descriptors: int, memory_bytes: int, nice: int = 0) -> None:
    """Stand in a folder as another user, with no other right than to listen on a low port.

    Raises:
        OSError: The kernel refuses.
    """
    os.chdir(folder)
    os.umask(0o077)
    os.nice(nice)
    hard = min(descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if LIBC.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot keep a capability")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    head = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    sets = (ctypes.c_uint32 * 6)(NET_BIND_SERVICE, NET_BIND_SERVICE, 0, 0, 0, 0)
    if LIBC.capset(head, sets) or LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot give up the rights of root")
