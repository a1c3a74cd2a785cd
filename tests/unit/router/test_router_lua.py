"""The router's pure Lua: its specifications (tests/unit/router/lua, run by busted in a LuaJIT without nginx) hold."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PURE = sorted(file.stem for file in (ROOT / "config/router/lua/deployd/pure").glob("*.lua"))


@pytest.mark.parametrize("name", PURE)
def test_what_a_file_of_the_router_decides_is_as_specified(name: str) -> None:
    specification = HERE / "lua" / f"{name}_spec.lua"
    assert specification.is_file(), f"deployd/pure/{name}.lua has no specification"
    words = ["busted", "--output=TAP", specification]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "ok 1 - " in ended.stdout


def test_each_specification_is_of_a_file() -> None:
    assert sorted(file.stem.removesuffix("_spec") for file in (HERE / "lua").glob("*.lua")) == PURE
