"""The folder of receive hooks, which every repository of deployd uses (`core.hooksPath`): written at the start."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from deployd.intake import receive_hook

HOOKS = ("pre-receive", "post-receive")


def write_hooks(folder: Path, socket: Path) -> None:
    """Write the two hooks, each a line of shell that starts `receive_hook.py`. May be repeated."""
    folder.mkdir(parents=True, exist_ok=True)
    program = Path(receive_hook.__file__).resolve()
    for name in HOOKS:
        hook = folder / name
        command = shlex.join([sys.executable, "-I", "-S", str(program), name, str(socket)])
        hook.write_text(f"#!/bin/sh\nexec {command}\n")
        hook.chmod(0o755)
