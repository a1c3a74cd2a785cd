"""Where the files of config/ are that came with the program."""

from __future__ import annotations

from pathlib import Path

PACKAGED_CONFIG = Path(__file__).parent.parent / "_config"


def config_folder() -> Path:
    """The folder config/ that came with the program: of the wheel, or of the checkout."""
    return PACKAGED_CONFIG if PACKAGED_CONFIG.is_dir() else Path(__file__).parents[2] / "config"
