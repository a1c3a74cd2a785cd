"""Builds of Elixir: what Hex and rebar3 keep between builds. There is no build flavor but `none`. Pure.

Hex itself comes by `mix local.hex` of the build hook, as on the hosted platforms, and goes with the application
(`~/.mix`).
"""

from __future__ import annotations

from deployd.runtimes.runtime import Runtime

ELIXIR = Runtime("elixir", downloads={"HEX_HOME": "hex", "REBAR_CACHE_DIR": "rebar3"})
