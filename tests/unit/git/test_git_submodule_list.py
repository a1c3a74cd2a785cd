"""Where a relative address of a submodule leads."""

from __future__ import annotations

import pytest

from deployd.git.submodule_list import resolved

SHOP = "https://forge.example/org/shop.git"


@pytest.mark.parametrize(("url", "base", "found"), [
    ("../lib.git", SHOP, "https://forge.example/org/lib.git"),
    ("../../other/lib", SHOP, "https://forge.example/other/lib"),
    ("./lib.git", SHOP, "https://forge.example/org/shop.git/lib.git"),
    ("../lib.git", f"{SHOP}/", "https://forge.example/org/lib.git"),
    ("./../lib.git", SHOP, "https://forge.example/org/lib.git"),
    ("../lib.git", "https://ann:word@forge.example:8443/org/shop.git?a=b#c", "https://ann:word@forge.example:8443/org/lib.git"),
    ("../lib.git", "git@forge.example:org/shop.git", "https://forge.example/org/lib.git"),
    ("../lib.git", "ssh://git@forge.example:2222/org/shop.git", "https://forge.example/org/lib.git"),
    ("../lib.git", "file:///srv/shop.git", "file:///srv/lib.git"),   # and refused for its kind
    ("../../../lib.git", SHOP, "../../../lib.git"),
    ("../lib.git", None, "../lib.git"),
    ("../lib.git", "https://[::1", "../lib.git"),
    ("https://elsewhere.example/lib.git", SHOP, "https://elsewhere.example/lib.git"),
    ("", SHOP, ""),
])
def test_a_relative_address_is_found_beside_the_remote(url: str, base: str | None, found: str) -> None:
    assert resolved(url, base) == found
