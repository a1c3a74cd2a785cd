"""What a search engine is asked in its container: which plugins it has, and whether all of its indexes are whole."""

from __future__ import annotations

from typing import ClassVar

from deployd.errors import DeployError
from deployd.project.model import Service
from deployd.services.family import Execute
from deployd.services.local_http import ask

PORT = 9200
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
    status, answer = await ask(execute, PORT, PLUGINS_PATH, login)
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
    status, answer = await ask(execute, PORT, HEALTH_PATH, login)
    if status == 200 and answer.get("status") in ("green", "yellow"):
        return
    _, why = await ask(execute, PORT, SHARDS_PATH, login)
    shown = [f"{key}: {why[key]}" for key in ("index", "current_state", "allocate_explanation") if key in why]
    parts = answer.get("unassigned_shards", "some")
    raise SearchIsRed(
        f"the search {service.name} ({service.type}) is red: {parts} parts of its indexes cannot be read",
        where=str(service.place), evidence=tuple(shown),
        hint="free disk if the host is full; else remove the index that is named (`curl -X DELETE` in a shell of the "
             "application) and index again",
    )
