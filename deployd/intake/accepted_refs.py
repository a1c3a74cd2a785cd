"""Which refs a push may bring: branches and tags with good names, and not too many of them. Pure.

`refs/replace/*` would make git show other files of a commit than it has; what else there is (`refs/notes`, what a forge
keeps of pull requests) means nothing here and would only be kept. Whatever is there already may be deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployd.environment.branches import namesake, oddity
from deployd.intake.push import Push
from deployd.settings import ProjectSettings

BRANCH, TAG = "refs/heads/", "refs/tags/"
MOST_BRANCHES = 100
"""Each is an environment. The hook bounds all refs of a push, before the daemon hears of them."""
MOST_TOLD = 10


@dataclass(frozen=True, slots=True)
class Ref:
    """A ref of a push that is no branch."""

    name: str
    deleted: bool = False


def refused_refs(project: ProjectSettings, pushes: Sequence[Push], others: Sequence[Ref]) -> list[str]:
    """What is wrong with the names, as the pusher reads it; empty when nothing is."""
    made = [push.branch for push in pushes if not push.deleted]
    if len(made) > MOST_BRANCHES:
        return [f"the push has {len(made)} branches, and each would become an environment",
                f"hint: push {MOST_BRANCHES} at once, at most"]
    refusals: list[str] = []
    for push in pushes:
        refusals += _of_deletion(project, push.branch) if push.deleted else _of_branch(project, push.branch, made)
    for ref in others:
        refusals += [] if ref.deleted else _of_other(ref.name)
    return refusals if len(refusals) <= MOST_TOLD * 2 else [*refusals[:MOST_TOLD * 2], "and others like these"]


def _of_branch(project: ProjectSettings, branch: str, made: Sequence[str]) -> list[str]:
    odd = oddity(branch)
    if odd:
        return _refused("branch", branch, odd)
    other = namesake(branch, (project.production, *project.protected_branches, *made))
    if other:
        return [f"the branches {shown(branch)} and {shown(other)} would have one environment",
                "hint: give the branch another name"]
    return []


def _of_deletion(project: ProjectSettings, branch: str) -> list[str]:
    if branch in project.protected_branches or namesake(branch, project.protected_branches):
        return [f"{shown(branch)} is protected: deleting it would delete its environment with its data",
                "hint: have the operator take the protection away first (`protected` in the project's settings)"]
    if branch == project.production or namesake(branch, (project.production,)):
        return [f"{shown(branch)} is production: deleting it would delete the live environment with its data",
                "hint: name another branch with `production_branch` in the project's settings first"]
    return []


def _of_other(name: str) -> list[str]:
    if not name.startswith(TAG):
        return [f"{shown(name)} is neither a branch nor a tag, and nothing else is taken",
                "hint: push branches and tags only: `git push REMOTE --all`, `git push REMOTE --tags`"]
    odd = oddity(name.removeprefix(TAG))
    return _refused("tag", name.removeprefix(TAG), odd) if odd else []


def _refused(kind: str, name: str, odd: str) -> list[str]:
    return [f"the {kind} {shown(name)} {odd}", f"hint: give the {kind} another name"]


def shown(name: str) -> str:
    """A name as a terminal may show it."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name[:120])
