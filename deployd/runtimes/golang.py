"""Builds of Go: what they keep. A build hook builds; there is no build flavor but `none`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.platform import APP_FOLDER
from deployd.project.model import Application
from deployd.runtimes.runtime import Runtime


def build_variables(app: Application) -> Mapping[str, str]:
    """Modules are kept writable, so that a hook may `rm -rf` them; a project that sets GOFLAGS itself has its own."""
    return {"GOFLAGS": "-modcacherw"}


GOLANG = Runtime(
    "golang",
    # Both are addressed by content: what one branch leaves there cannot be another one's by mistake.
    downloads={"GOMODCACHE": "go/modules", "GOCACHE": "go/build"},
    programs=(f"{APP_FOLDER}/go/bin",),   # of `go install`: GOPATH is `go` in the home
    build_variables=build_variables,
)
