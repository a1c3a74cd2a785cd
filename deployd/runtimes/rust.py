"""Builds of Rust: what they keep. A build hook calls cargo; there is no build flavor but `none`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.platform import APP_FOLDER
from deployd.project.model import Application
from deployd.runtimes.later import calls_later
from deployd.runtimes.runtime import Runtime

HOME = f"{APP_FOLDER}/.cargo"


def build_variables(app: Application) -> Mapping[str, str]:
    """What is compiled on the way to a program is kept, and stays out of the slug; the program itself is in `target`.

    Where cargo runs later too, as in `start: cargo run`, everything travels with the application.
    """
    if calls_later(app, "cargo"):
        return {"CARGO_HOME": HOME, "CARGO_BUILD_BUILD_DIR": "target"}
    return {"CARGO_INSTALL_ROOT": HOME}   # else programs would stay in the cache, with what was downloaded for them


RUST = Runtime(
    "rust", downloads={"CARGO_HOME": "cargo"},
    # Cargo compares dates: code must have come after all that was compiled, or that is taken for its own.
    compiled={"CARGO_BUILD_BUILD_DIR": "cargo-build"}, programs=(f"{HOME}/bin",), build_variables=build_variables,
)
