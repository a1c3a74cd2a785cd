"""What a search engine is asked in its container: which plugins it has, and whether all of its indexes are whole."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from deployd.errors import DeployError
from deployd.project.model import Service
from deployd.services.family import Execute

PORT = 9200
# In bash, because an image need not have an HTTP client. The first line that it reads is user and password, or empty.
ASK = f"""\
read -r login; exec 3<>/dev/tcp/127.0.0.1/{PORT} || exit 1
printf 'GET %s HTTP/1.0\\r\\n' "$1" >&3; [ -z "$login" ] || printf 'Authorization: Basic %s\\r\\n' "$login" >&3
printf 'Connection: close\\r\\n\\r\\n' >&3; cat <&3"""
HEALTH_PATH = "/_cluster/health?wait_for_status=yellow&timeout=40s"
SHARDS_PATH = "/_cluster/allocation/explain"
PLUGINS_PATH = "/_nodes/_local/plugins?filter_path=nodes.*.plugins.name,nodes.*.modules.name"


class SearchIsRed(DeployError):
    """An index of a search engine has lost data, or has nowhere to be."""

    code: ClassVar[str] = "search-red"


class PluginNotThere(DeployError):
    """A plugin that the files name is not in the service's image."""

    code: ClassVar[str] = "service-plugin-not-there"


async def look_at_plugins(execute: Execute, service: Service, needed: frozenset[str], login: str) -> None:
    """Have an error when the engine lacks one.

    Args:
        login: `user:password` in base64; empty: it asks for none.

    Raises:
        PluginNotThere: One of those that are needed.
    """
    if not needed:
        return
    status, answer = await _ask(execute, PLUGINS_PATH, login)
    if status != 200:
        raise PluginNotThere(
            f"{service.name} ({service.type}) does not say which plugins it has: it answers with status {status}",
            where=str(service.place), hint="deploy once more; its last lines are in `deployd logs`",
        )
    there = {item["name"] for node in answer.get("nodes", {}).values() for group in node.values() for item in group}
    missing = sorted(needed - there)
    if missing:
        raise PluginNotThere(
            f"the image of {service.name} ({service.type}) does not have {', '.join(missing)}",
            where=str(service.place), evidence=(f"it has {', '.join(sorted(there))}",),
            hint="take it out of `configuration`, or have the operator name an image that has it in the catalogue",
        )


async def look_at_shards(execute: Execute, service: Service, login: str) -> None:
    """Wait until all indexes can be read, and say which one cannot.

    Raises:
        SearchIsRed: It stays so.
    """
    status, answer = await _ask(execute, HEALTH_PATH, login)
    if status == 200 and answer.get("status") in ("green", "yellow"):
        return
    _, why = await _ask(execute, SHARDS_PATH, login)
    shown = [f"{key}: {why[key]}" for key in ("index", "current_state", "allocate_explanation") if key in why]
    parts = answer.get("unassigned_shards", "some")
    raise SearchIsRed(
        f"the search {service.name} ({service.type}) is red: {parts} parts of its indexes cannot be read",
        where=str(service.place), evidence=tuple(shown),
        hint="free disk if the host is full; else remove the index that is named (`curl -X DELETE` in a shell of the "
             "application) and index again",
    )


async def _ask(execute: Execute, path: str, login: str) -> tuple[int, Any]:
    """(status, JSON) that the engine answers; 0 and nothing when it is no answer."""
    answer = await execute(("bash", "-c", ASK, "bash", path), f"{login}\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    try:
        return status, json.loads(body)
    except ValueError:
        return status, {}
