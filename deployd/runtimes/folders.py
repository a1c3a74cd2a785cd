"""Where builds put what an application brings beside its own files."""

from __future__ import annotations

from deployd.environment.platform import APP_FOLDER

GLOBAL_FOLDER = f"{APP_FOLDER}/.global"
