"""Who may come into the environments of a project over SSH."""

from __future__ import annotations

from typing import Literal

from deployd.settings.frozen import Frozen


class Access(Frozen):
    ssh: Literal["contributor", "approver", "admin"] = "contributor"
    """The least role for a shell, files and tunnels."""
