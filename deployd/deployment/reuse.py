"""What a build may take over of earlier ones, decided when it is planned: a key for each stage, and what is there.

A key is made of all that the stage's result is made of: its scripts, its image, the variables that builds see, the
files of the repository that have a part in it, and the keys of the stages on which it stands. What was kept also says
which files of the repository it wrote over: where these are others now, it is not taken.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Set
from typing import Any

from deployd.environment.platform import APP_FOLDER
from deployd.ids import CommitId, SlugKey
from deployd.plan import KeyParts, PlannedStage
from deployd.project.model import Application
from deployd.release.ports import Host
from deployd.runtimes.known import runtime_of
from deployd.runtimes.stages import EVERYTHING, Stage, StagedBuild
from deployd.settings import ProjectSettings

FORMAT = 2
OPEN, PROTECTED = "open", "protected"
Entries = Mapping[str, str]
"""{path from the application's root: mode, kind and git's id}"""
MOST_NAMED = 2
LONGEST_PATH = 500
"""Characters: some patterns take time by their square."""
OF_PROGRAMS = (".global", ".local")
"""Programs of the repository itself there would be found before those of the image."""
GIT_FOLDER = "HEAD"
"""With it, what git is asked in the application's folder may be answered by settings of the repository's own."""
TAKES_CODE = re.compile(r"(?:PATH|HOME|LIB|OPTIONS|OPT|PRELOAD)$", re.IGNORECASE)
"""Names of variables by which programs find code, or settings that lead to it: PYTHONPATH, NODE_OPTIONS, HOME."""
WHOLE = frozenset({APP_FOLDER, ".", ""})
LINK, ATTRIBUTES, PHP_INI = "120000 ", ".gitattributes", "php.ini"


def zone_of(project: ProjectSettings, branch: str) -> str:
    """Whose results a build may take over: protected environments take none of branches that anybody pushes to."""
    return PROTECTED if project.protection_of(branch) is not None else OPEN


async def plan_stages(
    host: Host, project: ProjectSettings, branch: str, commit: CommitId, live: CommitId | None, app: Application,
    parts: KeyParts, build: StagedBuild, *, variables: Any, anew: bool,
) -> tuple[PlannedStage, ...]:
    """The stages of a build as they would go now; empty when nothing of it can be kept.

    Args:
        live: The commit that is live, by which a change is named.
        variables: All that the build sees.
        anew: Nothing is taken over.
    """
    if not host.settings.build.reuse or all(stage.kept is None for stage in build.stages):
        return ()
    if not await host.kept.can_be_used():
        return ()
    entries = await host.code.entries(project.id, commit, app.root)
    if entries is None or await asyncio.to_thread(is_odd, app, entries):
        return ()
    before = await host.code.entries(project.id, live, app.root) if live is not None else None
    # Not in the loop: patterns of a repository's own names are looked for in all of its paths.
    keys = await asyncio.to_thread(stage_keys, project, branch, app, parts, build, entries, variables)
    zone, planned = zone_of(project, branch), []
    for stage in build.stages:
        if not stage.steps:
            continue
        if stage.kept is None:
            planned.append(PlannedStage(stage.title, None, why=stage.why_not))
            continue
        key = keys[stage.kept.name]
        there = [] if anew else await host.kept.find(project.id, zone, key)
        taken = next((own for own, about in there if fits(about, entries)), None)
        if taken is not None and not await host.kept.of(project.id, zone).has(taken):   # which counts as a use
            taken = None
        why = "nothing that it is made of has changed" if taken else (
            "asked for" if anew else await asyncio.to_thread(_why_made, stage, entries, before, bool(there)))
        planned.append(PlannedStage(stage.title, key, stage.kept.name, taken, why))
    return tuple(planned)


def stage_keys(
    project: ProjectSettings, branch: str, app: Application, parts: KeyParts, build: StagedBuild, entries: Entries,
    variables: Any = None,
) -> dict[str, SlugKey]:
    """{name of a stage that is kept: key of its result}. Pure."""
    common = [
        FORMAT, project.id, zone_of(project, branch), app.name, app.type, parts.image, parts.variables,
        [step.script for step in build.begin], sorted(named_in(variables, entries).items()),
        entries.get(PHP_INI, ""),   # every PHP reads it, also the one that only looks for extensions
    ]
    keys: dict[str, SlugKey] = {}
    for stage in build.stages:
        if stage.kept is not None:
            own = [
                stage.kept.name, stage.before, [step.script for step in stage.steps],
                inputs_digest(stage, entries), [keys.get(name, "") for name in stage.kept.after],
            ]
            text = json.dumps([common, own], separators=(",", ":"))
            keys[stage.kept.name] = SlugKey(hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest())
    return keys


def is_odd(app: Application, entries: Entries) -> bool:
    """Whether nothing is taken over for the sake of what a repository has. Pure."""
    return any(len(path) > LONGEST_PATH for path in entries) or has_programs(app, entries)


def has_programs(app: Application, entries: Entries) -> bool:
    """Whether the repository brings programs, or a repository of git, that steps may run in place of the image's. Pure.

    Also as a link where the folder would be.
    """
    own = (folder.removeprefix(f"{APP_FOLDER}/") for folder in runtime_of(app).programs)
    folders = (*OF_PROGRAMS, *own)
    above = {path for folder in folders for path in with_folders(folder)}
    below = tuple(f"{folder}/" for folder in folders)
    return any(path == GIT_FOLDER or path in above or path.startswith(below) for path in entries)


def inputs_of(stage: Stage, entries: Entries) -> dict[str, str]:
    """The files that have a part in a stage's result; of some only that they are there. Pure."""
    kept = stage.kept
    if kept is None or not kept.inputs:
        return {}
    files = {path: about for path, about in entries.items() if kept.depends_on(path)}
    if kept.inputs != EVERYTHING and any(about.startswith(LINK) for about in files.values()):
        return dict(entries)   # what it leads to has a part, too
    files |= {path: about for path, about in entries.items() if path.rpartition("/")[2] == ATTRIBUTES}
    return {**{path: "" for path in entries if re.fullmatch(kept.names, path)}, **files}


def named_in(variables: Any, entries: Entries) -> Entries:
    """Files that variables name, by themselves or in options (`--require /app/x.js`), and all in folders; all files
    where programs take code or settings from what is named, for these lead further. Pure."""
    named: set[str] = set()
    waiting: list[tuple[str, Any]] = [("", variables)]
    while waiting:
        name, item = waiting.pop()
        if isinstance(item, str):
            words = _paths_in(item)
            if TAKES_CODE.search(name) and (not words.isdisjoint(WHOLE) or _named(words, entries)):
                return entries
            named |= words
        elif isinstance(item, Mapping):
            waiting += [(str(key), value) for key, value in item.items()]
        elif isinstance(item, list | tuple):
            waiting += [(name, value) for value in item]
    return _named(named, entries)


def _paths_in(text: str) -> set[str]:
    return {word.removeprefix(f"{APP_FOLDER}/").removeprefix("./").rstrip("/")
            for word in re.split(r"[\s=:,;'\"]+", text) if word}


def _named(words: Set[str], entries: Entries) -> dict[str, str]:
    return {path: about for path, about in entries.items() if not words.isdisjoint(with_folders(path))}


def inputs_digest(stage: Stage, entries: Entries) -> str:
    digest = hashlib.sha256()
    for path, about in sorted(inputs_of(stage, entries).items()):
        digest.update(f"{about}\t{path}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def fits(about: Mapping[str, Any], entries: Entries) -> bool:
    """Whether what was kept wrote over nothing but what is still the same. Pure.

    Args:
        about: `over`: {path of the repository that was changed or removed: as it was then}; `new`: [files and folders
            that it made, and the repository did not have]; `read`: {further file that had a part in it: as it was}.
    """
    made, same = frozenset(about["new"]), {**about["over"], **about.get("read", {})}
    return all(entries.get(path) == was for path, was in same.items()) \
        and not any(name in made for path in entries for name in with_folders(path))


def with_folders(path: str) -> Iterable[str]:
    """`a/b/c`: itself and the folders that it lies in."""
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts) + 1))


def _why_made(stage: Stage, entries: Entries, before: Entries | None, there: bool) -> str:
    if there:
        return "the repository has other files where it was written over them"
    if before is None:
        return "there is none yet"
    now, then = inputs_of(stage, entries), inputs_of(stage, before)
    changed = sorted(path for path in now.keys() | then.keys() if now.get(path) != then.get(path))
    if not changed:
        return "there is none yet for these settings, packages and images"
    more = f" and {len(changed) - MOST_NAMED} others" if len(changed) > MOST_NAMED else ""
    named = ", ".join(path.encode(errors="replace").decode()[:120] for path in changed[:MOST_NAMED])
    return f"{named}{more} changed"
