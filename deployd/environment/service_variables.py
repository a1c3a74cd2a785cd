"""Relationships in variables of their own, as Upsun has them: `DATABASE_HOST` beside PLATFORM_RELATIONSHIPS. Pure.

The format is `<RELATIONSHIP>_<PROPERTY>`, what is no letter or digit made `_` (Upsun's manual, "Service environment
variables"). Its examples show `is_master` as Python prints it; here what is no text is JSON, as everywhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_NOT_OF_A_NAME = re.compile(r"[^0-9A-Z_]", re.ASCII)


def service_variables(relationships: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    """
    Args:
        relationships: Content of PLATFORM_RELATIONSHIPS. Of several endpoint objects the first one counts.
    """
    found: dict[str, str] = {}
    for name, endpoints in relationships.items():
        for endpoint in endpoints[:1]:
            prefix = _NOT_OF_A_NAME.sub("_", name.upper())
            shown = {**endpoint, "url": _url(endpoint), "instance_ips": [endpoint.get("ip")]}
            found |= {f"{prefix}_{_NOT_OF_A_NAME.sub('_', key.upper())}": _text(value) for key, value in shown.items()}
    return {name: value for name, value in found.items() if not name[0].isdigit()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _url(endpoint: Mapping[str, Any]) -> str:
    """`pgsql://main:main@database.internal:5432/main`"""
    user, password = (quote(str(endpoint.get(key) or ""), safe="") for key in ("username", "password"))
    login = f"{user}:{password}@" if user or password else ""
    path = str(endpoint.get("path") or "").lstrip("/")
    return f"{endpoint.get('scheme')}://{login}{endpoint.get('host')}:{endpoint.get('port')}/{path}".rstrip("/")
