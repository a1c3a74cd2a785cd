"""Builds of Go: what they keep. A build hook builds; there is no build flavor but `none`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.platform import APP_FOLDER
from deployd.project.model import Application
from deployd.runtimes.later import calls_later
from deployd.runtimes.runtime import Runtime

HOME = f"{APP_FOLDER}/go"
"""GOPATH, unless the project says otherwise."""


def build_variables(app: Application) -> Mapping[str, str]:
    """Modules are kept writable, so that a hook may `rm -rf` them; a project that sets GOFLAGS itself has its own.

    Where Go runs later too, as in `start: go run .`, modules have to travel with the application.
    """
    return {"GOFLAGS": "-modcacherw", **({"GOMODCACHE": f"{HOME}/pkg/mod"} if calls_later(app, "go") else {})}


GOLANG = Runtime(
    "golang",
    # Both are addressed by content: what one branch leaves there cannot be another one's by mistake.
    downloads={"GOMODCACHE": "go/modules", "GOCACHE": "go/build"},
    programs=(f"{HOME}/bin",),   # of `go install`
    build_variables=build_variables,
)
