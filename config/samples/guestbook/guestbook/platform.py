"""What the platform tells an application: through environment variables and nothing else."""

import base64
import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def relationship(name: str) -> dict[str, Any]:
    """The first endpoint of a relationship."""
    return json.loads(base64.b64decode(os.environ["PLATFORM_RELATIONSHIPS"]))[name][0]


def version() -> str:
    return (ROOT / "VERSION").read_text().strip()


def mount_is_writable(mount: str) -> bool:
    """Whether the mount can be written to, by writing to it."""
    file = ROOT / mount / f".written-{os.getpid()}"
    try:
        file.write_text("x")
        file.unlink()
    except OSError:
        return False
    return True
