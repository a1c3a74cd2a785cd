"""The environment variables of a process of an application, ours and the project's put together. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.platform import APP_FOLDER

OURS = ("PATH", "PYTHONUSERBASE", "PHP_INI_SCAN_DIR")
"""What a project's own variable of that name must not replace: without these, nothing is found."""


def merged_environment(defaults: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """What the project says goes over our defaults, but for a few. HOME is /app, as on the hosted platforms."""
    kept = {name: defaults[name] for name in OURS if name in defaults}
    return {"HOME": APP_FOLDER, "USER": "web", **defaults, **values, **kept}
