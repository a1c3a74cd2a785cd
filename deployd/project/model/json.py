"""Values of YAML that go on as JSON, because they are the user's own and nobody here reads them.

They are the only ones: variables of applications (every program may ask for another shape), settings of extensions of
PHP, constraints of dependencies (the package manager's own words), keys of `runtime` that only programs look for, and
settings of `.magento.env.yaml`, which go into Magento's own files.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Json = None | bool | int | float | str | list[Any] | dict[str, Any]

EMPTY: Mapping[str, Any] = MappingProxyType({})


def nothing() -> Mapping[str, Any]:
    """The empty mapping, as a default factory: dataclasses refuse a mapping as a plain default before Python 3.12."""
    return EMPTY
